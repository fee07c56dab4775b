"""One story out of what all rooms know: paged, filtered, each entry once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.customers import facets, services
from signals_app.customers.facets import Excerpt, Facet, Place, TimelineEntry
from signals_app.customers.models import ConsentChange, Customer, Identifier, Order
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.shopper_signals.models import ShopperSignal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KINDS = ("signal", "order", "consent", "identifier", "email", "automation")


def facet_with(name: str, entries: list[TimelineEntry]) -> Facet:
    def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
        newest_first = sorted(entries, key=lambda entry: (entry.at, entry.kind, entry.reference), reverse=True)
        after = excerpt.after
        return [
            entry
            for entry in newest_first
            if after is None or (entry.at, entry.kind, entry.reference) < (after.at, after.kind, after.reference)
        ][: excerpt.limit]

    return Facet(name, name, (), timeline, kinds={name: name})


def walk(customer: Customer, *, limit: int, kinds: list[str] | None = None) -> Iterator[TimelineEntry]:
    """Yield a whole story, page by page."""
    page = services.timeline(customer=customer, limit=limit, kinds=kinds)
    while page:
        assert len(page) <= limit
        yield from page
        page = services.timeline(customer=customer, limit=limit, kinds=kinds, after=Place.of(page[-1]))


def furnish(project: Project, moments: list[tuple[str, int]]) -> Customer:
    """Return a shopper of three known IDs to whom something happened at each moment (kind, minutes ago)."""
    customer = Customer.objects.create(project=project)
    first = [
        Identifier.objects.create(
            project=project, customer=customer, kind=kind, value=f"{customer.pk}", created_at=NOW - timedelta(days=2)
        )
        for kind in ("external_id", "anonymous_id", "session_id")
    ]
    Identifier.objects.filter(pk=first[2].pk).update(created_at=NOW)
    rule, _ = RemarketingRule.objects.get_or_create(project=project, name="Rule")
    template, _ = EmailTemplate.objects.get_or_create(project=project, name="Mail")
    for number, (kind, minutes) in enumerate(moments):
        common: dict[str, Any] = {"identifier": first[number % 3]}
        own, at = {"project": project, **common}, NOW - timedelta(minutes=minutes)
        match kind:
            case "signal":
                ShopperSignal.objects.create(**own, received_at=at)
            case "order":
                Order.objects.create(**own, order_id=f"{customer.pk}-{number}", total=1, currency="EUR", placed_at=at)
            case "consent":
                ConsentChange.objects.create(**common, is_granted=True, source="form", occurred_at=at, recorded_at=at)
            case "identifier":
                Identifier.objects.create(
                    project=project, customer=customer, kind="email", value=f"{customer.pk}.{number}", created_at=at
                )
            case "email":
                EmailMessage.objects.create(
                    **own, template=template, purpose="REMARKETING", send_key=f"{customer.pk}-{number}", due_at=at,
                    state="sent", finished_at=at,
                )  # fmt: skip
            case "automation":
                RuleMatch.objects.create(
                    **own, rule=rule, entry_key=f"{customer.pk}-{number}", state="queued", triggered_at=at, due_at=at,
                    decided_at=at, rule_version=1,
                )  # fmt: skip
    return customer


class TestTheTimeline:
    @given(st.lists(st.lists(st.integers(0, 30), max_size=15), max_size=3), st.integers(1, 50))
    def test_shows_every_entry_once_newest_first_whatever_the_page(self, minutes: list[list[int]], limit: int) -> None:
        entries = [
            [
                TimelineEntry(NOW - timedelta(minutes=minute), str(row), f"{row}/{number}", reference=f"{number:03}")
                for number, minute in enumerate(of_row)
            ]
            for row, of_row in enumerate(minutes)
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(facets, "_facets", {str(n): facet_with(str(n), some) for n, some in enumerate(entries)})
            shown = list(walk(Customer(), limit=limit))

        assert sorted(entry.title for entry in shown) == sorted(entry.title for some in entries for entry in some)
        assert shown == sorted(shown, key=lambda entry: entry.at, reverse=True)

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        moments=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), max_size=14),
        limit=st.integers(1, 9),
        kinds=st.none() | st.sets(st.sampled_from(KINDS)),
    )
    def test_tells_what_is_stored_once_also_where_much_happened_at_one_instant(
        self, shop: Project, moments: list[tuple[str, int]], limit: int, kinds: set[str] | None
    ) -> None:
        customer = furnish(shop, moments)

        shown = list(walk(customer, limit=limit, kinds=None if kinds is None else sorted(kinds)))

        # Two known IDs were there before; a visit's is not told of.
        happened = [kind for kind, _ in moments] + ["identifier"] * 2
        wanted = [kind for kind in happened if kinds is None or kind in kinds]
        assert sorted(entry.kind for entry in shown) == sorted(wanted)
        assert len({(entry.kind, entry.reference) for entry in shown}) == len(shown)
        assert [entry.at for entry in shown] == sorted((entry.at for entry in shown), reverse=True)

    @pytest.mark.parametrize(
        ("kind", "table"),
        [
            ("signal", "shoppersignal"),
            ("order", "customers_order"),
            ("consent", "consentchange"),
            ("identifier", "customers_identifier"),
            ("email", "emailmessage"),
            ("automation", "rulematch"),
        ],
    )
    def test_of_one_kind_reads_no_other_rooms(self, shop: Project, kind: str, table: str) -> None:
        customer = furnish(shop, [(each, 1) for each in KINDS])

        with CaptureQueriesContext(connection) as queries:
            entries = services.timeline(customer=customer, kinds=[kind])

        assert {entry.kind for entry in entries} == {kind}
        assert len(queries) <= 3
        assert table in queries[0]["sql"]
        others = {"shoppersignal", "customers_order", "consentchange", "emailmessage", "rulematch"} - {table}
        assert not [query["sql"] for query in queries for other in others if other in query["sql"]]

    def test_tells_of_known_ids_consent_and_orders(self, shop: Project, order: Callable[..., Any]) -> None:
        customer = services.record_consent(
            project=shop, identifiers={"email": "a@example.com"}, granted=True, source="form", now=NOW
        )
        order(identifiers={"email": "a@example.com"})

        titles = {entry.title for entry in services.timeline(customer=customer)}

        assert {"E-mail known", "Marketing allowed", "Ordered"} <= titles

    @pytest.mark.parametrize("reference", ["", "x", "9" * 40, "00000000-0000-0000-0000-000000000000"])
    @pytest.mark.parametrize("kind", ["", "signal", "order", "consent", "automation", "nonsense"])
    def test_goes_on_from_a_made_up_place(self, shop: Project, kind: str, reference: str) -> None:
        customer = furnish(shop, [(each, 1) for each in KINDS])

        older = services.timeline(customer=customer, after=Place(NOW - timedelta(hours=1), kind, reference))

        assert {entry.kind for entry in older} == {"identifier"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "2026-11-24_order_1",
        "2026-13-45T00:00:00+00:00__",
        "\x00",
        "9999-12-31T23:59:59+00:00_order_1",
        "0001-01-01T00:00:00+14:00_order_1",
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Place.read(text)


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(NOW, "order", "a_b")

    assert Place.read(str(place)) == place


def test_every_room_that_tells_a_story_says_of_which_kinds() -> None:
    assert [facet.name for facet in facets.all() if bool(facet.timeline) != bool(facet.kinds)] == []
