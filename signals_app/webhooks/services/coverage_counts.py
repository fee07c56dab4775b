"""
Counting whom the signals name, as they come, so that no page ever has to read them all.

A cursor goes along the deliveries of each source in the order in which they came, slice by slice, and adds what it finds
to hourly rows. It stops before what is still being processed, so that each signal is counted once and in full. What was
accepted or repaired later, behind the cursor, is left out: these are shares and not accounts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from signals_app.core.bulk import Merge, read_rows, write_rows
from signals_app.customers import services as customers
from signals_app.customers.constants import Channel, Topic
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import mapping
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import CoverageCursor, HourlyCoverage, WebhookDelivery, WebhookSource

SLICE = 500
LOOKED_INTO = 100
"""Bodies of a slice that are looked into for the IDs they carry; up to so many a minute that is every signal."""
SETTLES = timedelta(minutes=1)
"""A request gets its time before its commit, and waits for that a few seconds at most."""
DAYS_BACK = 30
"""How much of its past is counted when a source is counted for the first time."""
MAY_BE_MAILED = f"{Channel.EMAIL.value}.{Topic.MARKETING.value}"
COUNTED = ("signals", "identified", "with_email", "with_consent", "sampled", *mapping.IDENTITY_FIELDS)
_WAITING = frozenset({InboxState.PENDING.value, InboxState.PARKED.value})
_NIL = UUID(int=0)


class _Found(NamedTuple):
    """A signal of a slice, and what is known of whom it is."""

    pk: UUID
    received_at: datetime
    customer_id: UUID | None
    email: str | None


def count_coverage(*, now: datetime, seconds: float) -> int:
    """
    Count on where it was left, for at most some seconds, and return how many deliveries were counted.

    Safe to run any number of times and twice at once: a slice counts only for whoever moves the cursor.
    """
    stop_at, total = time.monotonic() + seconds, 0
    for source in WebhookSource.objects.select_related("project").order_by("pk"):
        while time.monotonic() < stop_at:
            counted = _count_slice(source, until=now - SETTLES, now=now)
            total += counted
            if counted < SLICE:
                break
    return total


def _count_slice(source: WebhookSource, *, until: datetime, now: datetime) -> int:
    cursor = _cursor(source, now)
    slice_ = _settled(source, cursor, until)
    if not slice_:
        return 0
    counts = _counts(source, _signals([pk for pk, _ in slice_]))
    last_pk, last_at = slice_[-1]
    here = CoverageCursor.objects.filter(pk=source.pk, received_at=cursor.received_at, delivery_id=cursor.delivery_id)
    with transaction.atomic():
        if not here.update(received_at=last_at, delivery_id=last_pk):
            return 0  # somebody else was faster
        write_rows(
            HourlyCoverage,
            fields=("source", "hour", *COUNTED),
            rows=[(source.pk, hour, *(row[name] for name in COUNTED)) for hour, row in sorted(counts.items())],
            unique=("source", "hour"),
            merge=dict.fromkeys(COUNTED, Merge.ADD),
        )
    return len(slice_)


def _cursor(source: WebhookSource, now: datetime) -> CoverageCursor:
    cursor, _ = CoverageCursor.objects.get_or_create(
        source=source, defaults={"received_at": now - timedelta(days=DAYS_BACK), "delivery_id": _NIL}
    )
    return cursor


def _settled(source: WebhookSource, cursor: CoverageCursor, until: datetime) -> list[tuple[UUID, datetime]]:
    """Return the next deliveries, up to the first that still waits to be processed."""
    after = Q(received_at__gt=cursor.received_at) | Q(received_at=cursor.received_at, id__gt=cursor.delivery_id)
    # Said twice: from the first condition alone the database knows where in the index to begin.
    came = WebhookDelivery.objects.filter(
        after, source=source, received_at__gte=cursor.received_at, received_at__lte=until
    )
    rows = came.order_by("received_at", "id").values_list("pk", "received_at", "inbox_item__state")[:SLICE]
    settled = []
    for pk, received_at, state in rows:
        if state in _WAITING:
            break
        settled.append((pk, received_at))
    return settled


def _signals(pks: Sequence[UUID]) -> list[_Found]:
    columns = ("pk", "received_at", "identifier__customer_id", "identifier__customer__email")
    rows = read_rows(ShopperSignal.objects.filter(pk__any_of=pks).values_list(*columns))
    return [_Found(*row) for row in rows]


def _counts(source: WebhookSource, found: Sequence[_Found]) -> dict[datetime, Counter[str]]:
    counts: dict[datetime, Counter[str]] = {}
    reachable = {one.customer_id for one in found if one.customer_id and one.email}
    consents = customers.consents_of(reachable)
    for one in found:
        row = counts.setdefault(_hour(one.received_at), Counter())
        row["signals"] += 1
        if one.customer_id:
            row["identified"] += 1
            if one.email:
                row["with_email"] += 1
                row["with_consent"] += consents[one.customer_id].get(MAY_BE_MAILED, False)
    step = -(-len(found) // LOOKED_INTO) or 1
    for received_at, kinds in _carried(source, [one.pk for one in found[::step]]):
        row = counts[_hour(received_at)]
        row["sampled"] += 1
        row.update(list(kinds))
    return counts


def _carried(source: WebhookSource, pks: Sequence[UUID]) -> Iterable[tuple[datetime, Iterable[str]]]:
    """Return which kinds of ID some signals carried, by today's mapping."""
    try:
        compiled = mapping.compile_mapping(source.identity_mapping)
    except InvalidConfiguration:
        compiled = mapping.compile_mapping({})
    bodies = ShopperSignal.objects.filter(pk__any_of=pks).values_list("received_at", "extra", "relevant_events")
    for received_at, extra, events in bodies:
        yield received_at, mapping.extract(compiled, extra | {"relevant_events": events}, events).identifiers


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
