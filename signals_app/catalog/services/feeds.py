"""Importing product feeds."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any

from django.db.models import Q

from signals_app.catalog import feed_files, feed_items
from signals_app.catalog.constants import MAX_FEED_BYTES, FeedState
from signals_app.catalog.exceptions import FeedUnreachable, FeedUnreadable
from signals_app.catalog.feed_items import FeedItem
from signals_app.catalog.models import Product, ProductFeed
from signals_app.catalog.services.product_rows import put_products
from signals_app.catalog.services.url_patterns import page_reader
from signals_app.core import claims, http
from signals_app.core.exceptions import PermanentError, TransientError

logger = logging.getLogger(__name__)

ITEMS_AT_ONCE = 250
"""Items stored in one transaction, so that it stays below 50 ms."""
ERRORS_KEPT = 100
FETCH_SECONDS = 60.0
LEASE = timedelta(minutes=10)
RETRY_AFTER = timedelta(minutes=30)
MAX_ATTEMPTS = 5
LEAST_SHARE_LEFT = 0.1
"""A feed with a smaller share of the products it had is taken for a broken one, and nothing is removed."""


@dataclass(slots=True)
class FeedReport:
    """What an import did; `problem` says why it is not complete, or is empty."""

    imported: int = 0
    created: int = 0
    changed: int = 0
    deactivated: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    """[{"row": 3, "field": "price", "error": "..."}], the first 100."""
    problem: str = ""

    @property
    def is_complete(self) -> bool:
        return not self.problem

    def note(self, row: int, problems: Iterable[tuple[str, str]]) -> None:
        for name, error in problems:
            if len(self.errors) < ERRORS_KEPT:
                self.errors.append({"row": row, "field": name, "error": error})


def import_feed(*, feed: ProductFeed, now: datetime) -> FeedReport:
    """
    Read a feed and make the catalogue say what it says: items are created, changed or, if gone, deactivated.

    Repeating it changes nothing. Nothing is deactivated when the feed is empty, cannot be read to its end, has more
    items that cannot be used than others, or hardly any of the products it had: then it is the feed that broke.
    """
    report = FeedReport()
    seen: set[str] = set()
    try:
        with closing(_open(feed)) as file:
            for chunk in _chunks(_items(feed, file, report, now)):
                created, changed = put_products(project_id=feed.project_id, feed_id=feed.pk, items=chunk, now=now)
                report.created += created
                report.changed += changed
                seen.update(item.sku for item in chunk)
    except (PermanentError, TransientError) as error:
        report.problem = str(error)
    report.imported = len(seen)
    if report.is_complete:
        report.problem = _reason_to_keep(feed, report)
    if report.is_complete:
        report.deactivated = _deactivate_others(feed, seen)
    _note_outcome(feed, report, now)
    return report


def request_import(*, feed: ProductFeed, now: datetime) -> None:
    """Have a feed read as soon as a worker is free."""
    ProductFeed.objects.filter(pk=feed.pk).update(state=FeedState.WAITING, due_at=now, attempts=0)


def import_due_feed(*, now: datetime) -> bool:
    """
    Import the feed that has been due for longest, and say whether there was one.

    One that is asked for while it is read (`request_import`) is due again at once: its file may be another by then.
    """
    due = ProductFeed.objects.filter(Q(due_at__lte=now) | Q(due_at=None, state=FeedState.WAITING)).order_by("due_at")
    # One at a time: the lease of a second would run while the first is read.
    claim = claims.claim(due, now=now, lease=LEASE, limit=1)
    if not claim.pks:
        return False
    feed = ProductFeed.objects.select_related("project").get(pk=claim.pks[0])
    if feed.attempts <= MAX_ATTEMPTS:
        report = import_feed(feed=feed, now=now)
    else:
        report = FeedReport(problem="Reading it was broken off again and again.")
        _note_outcome(feed, report, now)
    held = ProductFeed.objects.filter(pk=feed.pk, lease_token=claim.token)
    held.filter(due_at=feed.due_at).update(due_at=_next_time(feed, report, now))
    held.update(attempts=0, lease_token=None, lease_until=None)
    return True


def _next_time(feed: ProductFeed, report: FeedReport, now: datetime) -> datetime | None:
    if not feed.url:
        return None  # the same file would say the same
    pause = timedelta(hours=feed.refresh_hours)
    return now + (pause if report.is_complete else min(pause, RETRY_AFTER))


def _open(feed: ProductFeed) -> IO[bytes]:
    """
    Return the feed's file.

    :raises FeedUnreachable: if its address gives none.
    :raises FeedUnreadable: if there is neither file nor address.
    """
    if feed.url:
        answer = http.request("GET", feed.url, timeout=FETCH_SECONDS, max_bytes=MAX_FEED_BYTES)
        if answer.status_code != 200:
            raise FeedUnreachable(f"The address answered with status {answer.status_code}.")
        if answer.is_truncated:
            raise FeedUnreadable(f"The file is larger than {MAX_FEED_BYTES // 1024 // 1024} MB.")
        return io.BytesIO(answer.content)
    if not feed.upload:
        raise FeedUnreadable("The feed has neither a file nor an address.")
    try:
        file: IO[bytes] = feed.upload.storage.open(feed.upload.name, "rb")
    except OSError as error:
        raise FeedUnreadable("The uploaded file is no longer there.") from error
    return file


def _items(feed: ProductFeed, file: IO[bytes], report: FeedReport, now: datetime) -> Iterator[FeedItem]:
    key_of = page_reader(project_id=feed.project_id).catalogue_key
    for row in feed_files.read_rows(file, format=feed.format):
        if row.problem:
            report.rejected += 1
            report.note(row.number, [("", row.problem)])
            continue
        item, problems = feed_items.read_item(row.cells, currency=feed.project.currency, now=now, key_of=key_of)
        report.note(row.number, problems.items())
        if item is None:
            report.rejected += 1
        else:
            yield item


def _chunks(items: Iterable[FeedItem]) -> Iterator[list[FeedItem]]:
    chunk: dict[str, FeedItem] = {}
    for item in items:
        chunk[item.sku] = item  # of two items with one ID the later counts
        if len(chunk) >= ITEMS_AT_ONCE:
            yield list(chunk.values())
            chunk = {}
    if chunk:
        yield list(chunk.values())


def _reason_to_keep(feed: ProductFeed, report: FeedReport) -> str:
    """Return why products that the feed no longer lists are kept, or nothing."""
    if not report.imported:
        return "The feed has no item that can be used; the products stay as they were."
    if report.rejected > report.imported:
        return f"{report.rejected} items cannot be used and only {report.imported} can; no product was removed."
    active = Product.objects.filter(feed=feed, is_active=True).count()
    if report.imported < active * LEAST_SHARE_LEFT:
        return f"The feed lists only {report.imported} of {active} products; no product was removed."
    return ""


def _deactivate_others(feed: ProductFeed, seen: set[str]) -> int:
    active = Product.objects.filter(feed=feed, is_active=True).values_list("pk", "sku")
    gone = [pk for pk, sku in active.iterator(chunk_size=5_000) if sku not in seen]
    for start in range(0, len(gone), ITEMS_AT_ONCE):
        Product.objects.filter(pk__in=gone[start : start + ITEMS_AT_ONCE]).update(is_active=False)
    return len(gone)


def _note_outcome(feed: ProductFeed, report: FeedReport, now: datetime) -> None:
    feed.state = FeedState.IMPORTED if report.is_complete else FeedState.FAILED
    feed.product_count = Product.objects.filter(feed=feed, is_active=True).count()
    feed.row_errors = [*([{"row": 0, "field": "", "error": report.problem}] if report.problem else []), *report.errors]
    if report.imported:
        feed.imported_at = now
    feed.save(update_fields=["state", "product_count", "row_errors", "imported_at", "updated_at"])
    logger.info(
        "Product feed read",
        extra={"feed": str(feed.pk), "imported": report.imported, "rejected": report.rejected, "state": feed.state},
    )
