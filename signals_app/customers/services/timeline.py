"""One story out of what all rooms know of a profile."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from signals_app.customers import facets
from signals_app.customers.facets import TimelineEntry
from signals_app.customers.models import Customer


def timeline(*, customer: Customer, before: datetime | None = None, limit: int = 50) -> list[TimelineEntry]:
    """
    Return what happened before a time, newest first; `before` of the next page is `at` of the last entry.

    Entries of one and the same instant stay on one page, so that the next page can begin after it: a page may
    therefore be a little shorter than `limit`, and only an empty one is the last.
    """
    found = sorted(
        chain.from_iterable(facet.timeline(customer, before, limit + 1) for facet in facets.all()),
        key=lambda entry: entry.at,
        reverse=True,
    )
    if len(found) <= limit:
        return found
    page, following = found[:limit], found[limit]
    whole = [entry for entry in page if entry.at != following.at]
    return whole or [entry for entry in found if entry.at == following.at]
