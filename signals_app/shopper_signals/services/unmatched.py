"""Pages that shoppers visited lately and the catalogue does not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from signals_app.catalog import services as catalog_services
from signals_app.catalog.matching import PageKind
from signals_app.projects.models import Project
from signals_app.shopper_signals import interests
from signals_app.shopper_signals.models import ShopperSignal

SIGNALS_READ = 2_000
DAYS = 30


@dataclass(slots=True)
class UnmatchedPage:
    """A page by its key; `address` is the newest as it was visited, `looks_like_product` by the words in its path."""

    key: str
    address: str
    looks_like_product: bool
    visits: int
    shoppers: int
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class UnmatchedPages:
    """`signals_read` and `oldest_at` say of how much it tells."""

    pages: list[UnmatchedPage]
    signals_read: int
    oldest_at: datetime | None


def unmatched_pages(*, project: Project, now: datetime, limit: int = 100) -> UnmatchedPages:
    """
    Return pages of the newest 2,000 signals (of 30 days at most) that match no product: likely products first, then by
    visits.

    Computed when asked, so that receiving signals pays nothing for it.
    """
    recent = ShopperSignal.objects.filter(project=project, received_at__gt=now - timedelta(days=DAYS))
    rows = recent.order_by("-received_at", "-id").values_list("received_at", "identifier_id", "relevant_events")
    found: dict[str, UnmatchedPage] = {}
    seen_by: dict[str, set[int | None]] = {}
    reader = catalog_services.page_reader(project_id=project.pk)
    count, oldest_at = 0, None
    for received_at, identifier_id, events in rows[:SIGNALS_READ].iterator(chunk_size=200):
        count, oldest_at = count + 1, received_at
        names = [event["name"] for event in islice(events, interests.PAGES_READ) if _has_name(event)]
        for name, page in zip(names, map(reader.page, names), strict=True):
            if page.key not in interests.product_candidates([page]):
                continue
            known = found.get(page.key)
            if known is None:
                is_product = page.kind is PageKind.PRODUCT
                known = found[page.key] = UnmatchedPage(page.key, name[:2_000], is_product, 0, 0, received_at)
            known.visits += 1
            seen_by.setdefault(page.key, set()).add(identifier_id)
    unmatched = catalog_services.unmatched_among(project=project, keys=found)
    for key in unmatched:
        found[key].shoppers = len(seen_by[key] - {None}) or 1
    pages = sorted(
        (found[key] for key in unmatched), key=lambda page: (not page.looks_like_product, -page.visits, page.key)
    )
    return UnmatchedPages(pages[:limit], count, oldest_at)


def _has_name(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("name"), str)
