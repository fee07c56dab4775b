from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers import facets, services
from signals_app.customers.facets import Facet, TimelineEntry
from signals_app.customers.models import Customer
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def facet_with(name: str, entries: list[TimelineEntry]) -> Facet:
    def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
        newest_first = sorted(entries, key=lambda entry: entry.at, reverse=True)
        return [entry for entry in newest_first if before is None or entry.at < before][:limit]

    return Facet(name, name, (), timeline, lambda _: {}, lambda _: 0)


class TestTheTimeline:
    @given(st.lists(st.lists(st.integers(0, 30), max_size=15), max_size=3), st.integers(16, 50))
    def test_shows_every_entry_once_newest_first_whatever_the_page(self, minutes: list[list[int]], limit: int) -> None:
        entries = [
            [
                TimelineEntry(NOW - timedelta(minutes=minute), "x", f"{row}/{number}")
                for number, minute in enumerate(of_row)
            ]
            for row, of_row in enumerate(minutes)
        ]
        shown: list[TimelineEntry] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(facets, "_facets", {str(n): facet_with(str(n), some) for n, some in enumerate(entries)})
            page = services.timeline(customer=Customer(), limit=limit)
            while page:
                shown += page
                page = services.timeline(customer=Customer(), before=page[-1].at, limit=limit)

        assert sorted(entry.title for entry in shown) == sorted(entry.title for some in entries for entry in some)
        assert shown == sorted(shown, key=lambda entry: entry.at, reverse=True)

    def test_tells_of_known_ids_consent_and_orders(self, shop: Project, order: Callable[..., Any]) -> None:
        customer = services.record_consent(
            project=shop, identifiers={"email": "a@example.com"}, granted=True, source="form", now=NOW
        )
        order(identifiers={"email": "a@example.com"})

        titles = {entry.title for entry in services.timeline(customer=customer)}

        assert {"E-mail known", "Marketing allowed", "Ordered"} <= titles
