"""Whom the signals name: counted once as they come, shown by day, with what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from insightarc_crm import retention
from signals_app.customers import services as customers
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import coverage_words, mapping, pipeline, services
from signals_app.webhooks.models import CoverageCursor, HourlyCoverage, WebhookDelivery, WebhookSource
from signals_app.webhooks.services import coverage_counts
from signals_app.webhooks.services.coverage import CoverageDay, CoverageReport

Post = Callable[..., Any]
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def process(post_signal: Post) -> Callable[..., None]:
    """Let a signal come at a time, and process it."""

    def process(body: dict[str, Any], at: datetime = NOW) -> None:
        post_signal({"drop_proba": 0.5, "n": WebhookDelivery.objects.count()} | body, at=at)
        pipeline.process_batch(now=max(at, NOW))

    return process


def count(now: datetime = NOW + timedelta(minutes=5)) -> int:
    return services.count_coverage(now=now, seconds=60)


def days(source: WebhookSource, *, last: int = 7, now: datetime = NOW) -> list[tuple[int, ...]]:
    report = services.coverage(source=source, days=last, now=now + timedelta(minutes=5))
    return [(day.day.day, day.signals, day.identified, day.with_email, day.with_consent) for day in report.days]


def test_counts_by_day_what_signals_carry_and_whom_we_know(
    process: Callable[..., None], source: WebhookSource, project: Project
) -> None:
    customers.record_consent(
        project=project, identifiers={"email": "anna@example.com"}, granted=True, source="test", now=NOW
    )
    customers.identify(project=project, identifiers={"anonymous_id": "v9", "email": "ben@example.com"}, now=NOW)
    process({"email": "anna@example.com", "user_id": "anna-1"})
    process({"anonymous_id": "v9", "session_id": "s1"})
    process({"anonymous_id": "v1"})
    process({}, at=NOW - timedelta(days=1))

    assert count() == 4

    assert days(source) == [(23, 1, 0, 0, 0), (24, 3, 3, 2, 1)]
    report = services.coverage(source=source, days=7, now=NOW + timedelta(minutes=5))
    assert report.carried == {"external_id": 0.25, "email": 0.25, "anonymous_id": 0.5, "session_id": 0.25}
    assert report.share("with_consent") == 0.25


def test_counts_each_signal_once_however_often_and_in_whatever_slices(
    process: Callable[..., None], source: WebhookSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_counts, "SLICE", 2)
    monkeypatch.setattr(coverage_counts, "LOOKED_INTO", 1)
    for number in range(5):
        process({"email": f"a{number}@example.com"}, at=NOW + timedelta(seconds=number // 2))

    assert [count(), count()] == [5, 0]
    process({}, at=NOW + timedelta(minutes=6))
    assert count(NOW + timedelta(minutes=9)) == 1

    assert days(source) == [(24, 6, 4, 4, 0)]  # 4.5: 3 of the 4 looked into, of 6
    row = HourlyCoverage.objects.get()
    assert (row.signals, row.sampled, row.identified, row.email) == (6, 4, 3, 3)
    (day,) = services.coverage(source=source, now=NOW + timedelta(minutes=9)).days
    assert day.carried["email"] == 4.5


def test_of_two_workers_at_once_one_counts(
    process: Callable[..., None], source: WebhookSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    process({"email": "anna@example.com"})
    honest = coverage_counts._counts

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(coverage_counts, "_counts", honest)
        assert count() == 1
        return honest(*arguments)

    monkeypatch.setattr(coverage_counts, "_counts", overtaken)

    assert count() == 0
    assert days(source) == [(24, 1, 1, 1, 0)]


def test_waits_for_what_is_still_to_be_processed(
    post_signal: Post, process: Callable[..., None], source: WebhookSource
) -> None:
    process({"email": "anna@example.com"})
    post_signal({"email": "ben@example.com"}, at=NOW + timedelta(seconds=1))

    assert count() == 1
    services.pause(source=source, now=NOW)
    post_signal({"email": "cleo@example.com"}, at=NOW + timedelta(seconds=2))
    pipeline.process_batch(now=NOW + timedelta(seconds=3))
    assert count() == 1
    services.unpause(source=source, now=NOW + timedelta(minutes=1))
    assert count() == 0
    pipeline.process_batch(now=timezone.now() + timedelta(days=1_000))

    assert count() == 1
    assert days(source) == [(24, 3, 3, 3, 0)]


def test_leaves_out_what_came_within_the_minute_or_is_no_signal(
    post_signal: Post, process: Callable[..., None], source: WebhookSource
) -> None:
    post_signal(b"[]", at=NOW)
    process({}, at=NOW + timedelta(seconds=1))

    assert count(NOW) == 0
    assert count() == 2
    assert days(source) == [(24, 1, 0, 0, 0)]


def test_passes_over_what_shops_post(project: Project) -> None:
    shop = services.connect_shop(project=project, domain="nordlicht.myshopify.com", now=NOW)
    WebhookDelivery.objects.create(
        source=shop.webhook_source, verdict="ACCEPTED", body=b"{}", body_sha256=b"1" * 32, received_at=NOW
    )

    assert count() == 0
    assert not HourlyCoverage.objects.exists()


def test_begins_thirty_days_back_and_goes_by_the_stores_calendar(
    process: Callable[..., None], source: WebhookSource
) -> None:
    process({}, at=NOW - timedelta(days=40))
    process({}, at=NOW - timedelta(days=20))
    process({}, at=datetime(2026, 11, 23, 23, 30, tzinfo=UTC))  # half past midnight in Berlin

    assert count() == 2
    assert [day[:2] for day in days(source, last=30)] == [(4, 1), (24, 1)]
    assert [day[:2] for day in days(source, last=7)] == [(24, 1)]


def test_stops_when_its_time_is_over_and_goes_on_later(
    process: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_counts, "SLICE", 1)
    for _ in range(3):
        process({})

    assert services.count_coverage(now=NOW + timedelta(minutes=5), seconds=-1) == 0
    assert count() == 3


def test_old_counts_are_deleted_by_retention(process: Callable[..., None]) -> None:
    process({})
    count()

    counts, _ = retention.prune_all(now=NOW + timedelta(days=401), seconds=20)

    assert counts["hourly counts of whom signals name"] == 1
    assert CoverageCursor.objects.count() == 1


class TestTheAdvice:
    @staticmethod
    def report(*, identified: int, with_email: int, with_consent: int, **carried: float) -> CoverageReport:
        shares = dict.fromkeys(mapping.IDENTITY_FIELDS, 0.0) | carried
        day = CoverageDay(date(2026, 11, 24), 100, identified, with_email, with_consent, shares)
        return CoverageReport([day], day.day, day.day, NOW)

    def remedies(self, **shares: Any) -> list[str]:
        return [step.remedy for step in coverage_words.advice(self.report(**shares))]

    def test_asks_for_what_is_missing_most(self) -> None:
        assert self.remedies(identified=10, with_email=5, with_consent=5) == ["request", "kit"]
        assert self.remedies(identified=90, with_email=5, with_consent=4, anonymous_id=90) == ["kit"]
        assert self.remedies(identified=90, with_email=30, with_consent=29, session_id=90) == ["request"]
        assert self.remedies(identified=90, with_email=60, with_consent=10, anonymous_id=90) == ["consents"]
        assert self.remedies(identified=90, with_email=60, with_consent=55, anonymous_id=90) == [""]

    @given(st.integers(1, 100).flatmap(lambda top: st.tuples(st.just(top), st.integers(0, top), st.integers(0, top))))
    def test_always_says_something(self, numbers: tuple[int, int, int]) -> None:
        identified, with_email, with_consent = numbers

        steps = coverage_words.advice(
            self.report(identified=identified, with_email=with_email, with_consent=min(with_email, with_consent))
        )

        assert steps
        assert all(step.title and step.text for step in steps)

    def test_of_no_signals_is_to_connect(self) -> None:
        empty = CoverageReport([], date(2026, 11, 24), date(2026, 11, 24), None)

        assert coverage_words.advice(empty)[0].title == "No signals to look at"
        assert empty.share("identified") == 0


@pytest.mark.django_db
class TestTheRequest:
    def test_names_what_is_missing_in_an_example_that_we_read(self, source: WebhookSource) -> None:
        report = TestTheAdvice.report(identified=90, with_email=5, with_consent=5, session_id=90, anonymous_id=80)

        text = coverage_words.identity_request(source, report)

        example = json.loads(text[text.index("{") : text.rindex("}") + 1])
        found = mapping.extract(mapping.compile_mapping({}), example, example["relevant_events"])
        assert found.identifiers == {"external_id": "10042", "email": "shopper@example.com"}
        assert "They carry anonymous_id and session_id already" in text
        assert source.registered_urls[0] in text
        assert "https://shop.example.com/products/example?uid=" in text

    def test_asks_for_all_where_nothing_is_known_and_names_the_stores_own_parameter(
        self, source: WebhookSource
    ) -> None:
        source.identity_mapping = {"external_id": {"query_parameter": "kid"}}

        text = coverage_words.identity_request(source)

        assert all(f'"{name}"' in text for name in ("user_id", "email", "anonymous_id", "session_id"))
        assert "?kid=" in text


class TestThePage:
    @staticmethod
    def url(source: WebhookSource) -> str:
        return f"/admin/webhooks/webhooksource/{source.pk}/coverage/"

    @pytest.mark.parametrize("role", list(Role))
    def test_shows_shares_and_the_request_to_everybody_in_the_store(
        self, process: Callable[..., None], source: WebhookSource, sign_in: Callable[..., Client], role: Role
    ) -> None:
        process({"anonymous_id": "v1", "session_id": "s1"})
        process({})
        count()
        with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
            page = sign_in(role).get(self.url(source)).content.decode()

        assert "50 % of the signals name nobody" in page
        assert "1 (50 %)" in page
        assert "24 November: 50 % some id" in page
        assert "&quot;user_id&quot;" in page

    def test_opens_without_any_signal(self, source: WebhookSource, sign_in: Callable[..., Client]) -> None:
        assert "No signals to look at" in sign_in().get(self.url(source)).content.decode()

    def test_of_another_store_is_not_there(self, source: WebhookSource, sign_in: Callable[..., Client]) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")

        assert sign_in(Role.OWNER, other).get(self.url(source)).status_code == 404

    def test_reads_as_much_for_many_signals_as_for_few(
        self, source: WebhookSource, sign_in: Callable[..., Client], django_assert_max_num_queries: Callable[[int], Any]
    ) -> None:
        browser = sign_in()
        hours = [NOW - timedelta(hours=number) for number in range(720)]
        HourlyCoverage.objects.bulk_create(
            HourlyCoverage(source=source, hour=hour, signals=14_000, identified=90, sampled=100, anonymous_id=70)
            for hour in hours
        )
        with time_machine.travel(NOW, tick=False), django_assert_max_num_queries(25):
            page = browser.get(self.url(source)).content.decode()

        assert re.search(r"9,\d{3},\d{3} signals", page)
        assert not ShopperSignal.objects.exists()

    def test_is_reached_from_the_connection(
        self, process: Callable[..., None], source: WebhookSource, sign_in: Callable[..., Client]
    ) -> None:
        process({"email": "anna@example.com"})
        count()
        with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
            page = sign_in().get(f"/admin/webhooks/webhooksource/{source.pk}/change/").content.decode()

        assert self.url(source) in page
        assert "E-mail known" in page


@pytest.mark.django_db
def test_counting_leaves_people_as_they_are(process: Callable[..., None]) -> None:
    process({"email": "anna@example.com"})
    before = (Customer.objects.count(), Identifier.objects.count())

    count()

    assert (Customer.objects.count(), Identifier.objects.count()) == before
