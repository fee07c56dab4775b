"""A date in a condition is one on the store's clock: in what it holds for, in its words and on the builder's pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.segments import conditions, services
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.segments.models import Segment
from signals_app.segments.services import audiences
from tests.segments.test_admin import form, rows

CHECK = "/admin/segments/segment/check/"
PROFILES = "/admin/customers/customer/"
FIELDS = {"seen": Field("seen", "Last seen", FieldType.DATETIME, Scope.SIGNAL)}
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 2, 12, 0, tzinfo=UTC)

CLOCK_CHANGES = {
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Africa/Cairo": [date(2026, 4, 24), date(2026, 10, 29)],  # the first has no midnight
    "America/Havana": [date(2026, 3, 8), date(2026, 11, 1)],  # nor has this one, and the second has two
    "America/Santiago": [date(2026, 4, 4), date(2026, 9, 6)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],  # by half an hour
    "Asia/Kathmandu": [date(2026, 1, 1)],
    "Pacific/Kiritimati": [date(2026, 1, 1)],
    "UTC": [date(2026, 1, 1)],
}


def test_the_days_of_the_clock_changes_are_longer_and_shorter_ones() -> None:
    def hours(zone: str, day: date) -> float:
        start, end = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + timedelta(days=1)))
        return (end.astimezone(UTC) - start.astimezone(UTC)) / timedelta(hours=1)

    assert {hours(zone, day) for zone, days in CLOCK_CHANGES.items() for day in days} == {23, 23.5, 24, 24.5, 25}


@st.composite
def days_and_moments(draw: st.DrawFn) -> tuple[str, date, datetime]:
    """Return a zone, a day near a change of its clocks, and a moment within two days of it."""
    zone = draw(st.sampled_from(sorted(CLOCK_CHANGES)))
    day = draw(st.sampled_from(CLOCK_CHANGES[zone])) + timedelta(days=draw(st.integers(-1, 1)))
    near = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) + timedelta(days=draw(st.integers(0, 1)))
    seconds = st.sampled_from([0, 3600, -3600, 1800]) | st.integers(-2 * 86_400, 2 * 86_400)
    return zone, day, near + timedelta(seconds=draw(seconds), microseconds=draw(st.integers(-1, 1)))


@given(days_and_moments())
@example(("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, 0, tzinfo=UTC)))
@example(("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, 0, tzinfo=UTC)))
def test_a_day_is_the_whole_day_of_the_stores_clock(found: tuple[str, date, datetime]) -> None:
    zone, day, moment = found
    local = moment.astimezone(ZoneInfo(zone)).date()

    def holds(op: str) -> bool:
        leaf = conditions.parse({"field": "seen", "op": op, "value": str(day)}, FIELDS, zone=ZoneInfo(zone))
        # Whatever clock the value came on: two times of one zone are compared without their offsets.
        answers = {conditions.holds(leaf, {"seen": moment.astimezone(on)}, now=NOW) for on in (UTC, ZoneInfo(zone))}
        assert len(answers) == 1
        return answers.pop()

    assert holds("gte") == (local >= day)
    assert holds("lt") == (local < day)


@pytest.mark.parametrize(
    ("value", "in_utc", "said"),
    [
        ("2026-12-01", "2026-11-30T23:00:00+00:00", "1 Dec 2026, 00:00"),
        ("2026-07-01T10:30", "2026-07-01T08:30:00+00:00", "1 Jul 2026, 10:30"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00+00:00", "25 Oct 2026, 02:30"),  # comes twice: the first
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00+00:00", "1 Dec 2026, 01:00"),
        ("2026-12-01T00:00:00-05:00", "2026-12-01T05:00:00+00:00", "1 Dec 2026, 06:00"),
    ],
)
def test_what_names_its_offset_stays_what_it_is_and_all_is_said_on_the_stores_clock(
    value: str, in_utc: str, said: str
) -> None:
    leaf = conditions.parse({"field": "seen", "op": "lt", "value": value}, FIELDS, zone=BERLIN)
    (result,) = conditions.evaluate(leaf, {"seen": datetime.fromisoformat(in_utc)}, now=NOW)

    assert not result.holds
    assert result.sentence == f"Last seen is before {said}"
    assert conditions.value_text(FIELDS["seen"], result.actual) == said
    assert conditions.value_text(FIELDS["seen"], result.expected) == said


def test_the_last_days_are_so_many_times_24_hours_on_every_clock() -> None:
    now = datetime(2026, 10, 25, 12, 0, tzinfo=UTC)  # the day before had 25 hours in Berlin
    leaf = {"field": "seen", "op": "within_days", "value": 1}

    for zone in map(ZoneInfo, CLOCK_CHANGES):
        node = conditions.parse(leaf, FIELDS, zone=zone)
        assert conditions.holds(node, {"seen": now - timedelta(hours=24)}, now=now)
        assert not conditions.holds(node, {"seen": now - timedelta(hours=24, seconds=1)}, now=now)


# --- In a store -----------------------------------------------------------------------------------------------------

SINCE_DECEMBER = {"field": "last_seen_at", "op": "gte", "value": "2026-12-01"}


@pytest.fixture
def evening_and_night(project: Project) -> tuple[Customer, Customer]:
    """Two profiles, seen in the last minute of November in Berlin and in the first of December."""
    cache.clear()
    midnight = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    evening, night = (
        Customer.objects.create(project=project, email=f"{name}@example.com", last_seen_at=midnight + timedelta(minutes=by))
        for name, by in (("evening", -1), ("night", 0))
    )  # fmt: skip
    return evening, night


def found_by(browser: Client, **query: str) -> set[Any]:
    return {row.pk for row in browser.get(PROFILES, query).context["cl"].result_list}


def test_list_segment_and_builder_find_the_same_profiles(
    sign_in: Callable[..., Client], project: Project, evening_and_night: tuple[Customer, Customer]
) -> None:
    evening, night = evening_and_night
    segment = Segment.objects.create(project=project, name="December", conditions={"all": [SINCE_DECEMBER]})
    browser = sign_in()

    answer = browser.post(CHECK, {"tree": json.dumps(segment.conditions)}).json()

    assert answer["sentence"] == "Last seen is on or after 1 Dec 2026, 00:00"
    assert answer["shares"] == {"all.0": 0.5}
    assert [profile["name"] for profile in answer["audience"]["profiles"]] == ["night@example.com"]
    assert set(services.segment_customers(segment=segment, now=NOW)) == {night}
    assert audiences.estimate_count(project=project, tree=segment.conditions, now=NOW) == 1
    assert services.segments_of(customer=night, now=NOW) == ["December"]
    assert services.segments_of(customer=evening, now=NOW) == []
    assert found_by(browser, last_seen_at_from_0="2026-12-01") == {night.pk}
    assert found_by(browser, last_seen_at_to_0="2026-11-30") == {evening.pk}
    assert "1 Dec 2026, 00:00" in browser.get("/admin/segments/segment/").content.decode()


def test_a_segment_made_of_rows_without_script_keeps_the_date_as_typed(
    sign_in: Callable[..., Client], evening_and_night: tuple[Customer, Customer]
) -> None:
    browser = sign_in()
    data = form() | rows(("last_seen_at", "gte", "2026-12-01"))

    counted = browser.post("/admin/segments/segment/add/", data | {"_count": "1"}).content.decode()
    browser.post("/admin/segments/segment/add/", data)

    segment = Segment.objects.get()
    assert "<strong>1</strong> profile is" in counted
    assert segment.conditions == {"all": [SINCE_DECEMBER]}
    assert segment.profile_count == 1
    assert 'value="2026-12-01"' in browser.get(f"/admin/segments/segment/{segment.pk}/change/").content.decode()


def test_another_clock_of_the_store_makes_it_another_moment(
    project: Project, evening_and_night: tuple[Customer, Customer]
) -> None:
    tree = {"all": [SINCE_DECEMBER]}
    counts = {}

    for zone in ("Europe/Berlin", "Europe/Athens", "America/New_York"):
        project.time_zone = zone
        counts[zone] = services.matching_customers(project=project, tree=tree, now=NOW).count()

    assert counts == {"Europe/Berlin": 1, "Europe/Athens": 2, "America/New_York": 0}
