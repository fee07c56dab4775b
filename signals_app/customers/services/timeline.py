"""One story out of what all rooms know of a profile."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

from signals_app.customers import facets
from signals_app.customers.facets import Excerpt, Place, TimelineEntry
from signals_app.customers.models import Customer


def timeline(
    *, customer: Customer, after: Place | None = None, kinds: Collection[str] | None = None, limit: int = 50
) -> list[TimelineEntry]:
    """
    Return what happened, newest first; `after` of the next page is the place of the last entry.

    `kinds`: only entries of these kinds; rooms that tell of none of them are not asked. Walking from page to page
    shows every entry once, however many happened at one instant.
    """
    excerpt = Excerpt(limit, after, None if kinds is None else frozenset(kinds))
    found = chain.from_iterable(
        facet.timeline(customer, excerpt)
        for facet in facets.all()
        if facet.timeline and any(excerpt.wants(kind) for kind in facet.kinds)
    )
    # Sorting keeps the order of equals: entries of one instant and kind come from one room, in the order of their ids.
    return sorted(found, key=lambda entry: (entry.at, entry.kind), reverse=True)[:limit]


def timeline_headings() -> dict[str, list[str]]:
    """Return the headings under which a story can be filtered, and the kinds of entries under each."""
    headings: dict[str, list[str]] = {}
    for facet in facets.all():
        for kind, heading in facet.kinds.items():
            headings.setdefault(heading, []).append(kind)
    return headings
