"""
Counting whom the signals name, as they come, so that no page ever has to read them all.

A cursor goes along the deliveries of each source in the order in which they came, slice by slice, and adds what it finds
to hourly rows. It stops before what is still being processed, so that each signal is counted once and in full. What was
accepted or repaired later, behind the cursor, is left out: these are shares and not accounts. In a busy shop only some of
the signals are looked into, so that counting costs a small part of what processing does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import starmap, takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from signals_app.core.bulk import Merge, read_rows, write_rows
from signals_app.customers import services as customers
from signals_app.customers.constants import Channel, Topic
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import mapping
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import CoverageCursor, HourlyCoverage, WebhookDelivery, WebhookSource

SLICE = 2_000
LOOKED_INTO = 200
"""Signals of one hour in a slice that are looked into. Called every minute, that is all of them up to three a second."""
SETTLES = timedelta(minutes=1)
"""A request gets its time before its commit, and waits for that a few seconds at most."""
DAYS_BACK = 30
"""How much of its past is counted when a source is counted for the first time."""
MAY_BE_MAILED = f"{Channel.EMAIL.value}.{Topic.MARKETING.value}"
COUNTED = ("signals", "identified", "with_email", "with_consent", "sampled", *mapping.IDENTITY_FIELDS)
_WAITING = frozenset({InboxState.PENDING.value, InboxState.PARKED.value})
_NIL = UUID(int=0)


class _Delivery(NamedTuple):
    pk: UUID
    received_at: datetime
    state: str | None
    """Of its inbox item; None when it was processed."""


class _Signal(NamedTuple):
    """A signal that is looked into, and what is known of whom it is."""

    pk: UUID
    customer_id: UUID | None
    email: str | None
    extra: dict[str, Any]
    events: list[dict[str, str]]


def count_coverage(*, now: datetime, seconds: float) -> int:
    """
    Count on where it was left, for at most some seconds, and return how many deliveries were counted.

    Safe to run any number of times and twice at once: a slice counts only for whoever moves the cursor.
    """
    stop_at, total = time.monotonic() + seconds, 0
    for source in WebhookSource.objects.of_insightarc().select_related("project").order_by("pk"):
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
    counts = _counts(source, slice_)
    last = slice_[-1]
    here = CoverageCursor.objects.filter(pk=source.pk, received_at=cursor.received_at, delivery_id=cursor.delivery_id)
    with transaction.atomic():
        if not here.update(received_at=last.received_at, delivery_id=last.pk):
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


def _settled(source: WebhookSource, cursor: CoverageCursor, until: datetime) -> list[_Delivery]:
    """Return the next deliveries, up to the first that still waits to be processed."""
    after = Q(received_at__gt=cursor.received_at) | Q(received_at=cursor.received_at, id__gt=cursor.delivery_id)
    # Said twice: from the first condition alone the database knows where in the index to begin.
    came = WebhookDelivery.objects.filter(
        after, source=source, received_at__gte=cursor.received_at, received_at__lte=until
    )
    rows = came.order_by("received_at", "id").values_list("pk", "received_at", "inbox_item__state")[:SLICE]
    return list(takewhile(lambda one: one.state not in _WAITING, starmap(_Delivery, read_rows(rows))))


def _counts(source: WebhookSource, slice_: Sequence[_Delivery]) -> dict[datetime, Counter[str]]:
    """Return the counts of a slice by hour: all of its signals, and what is known of those that are looked into."""
    of_hour: dict[datetime, list[UUID]] = {}
    for one in slice_:
        if one.state is None:  # what needs fixing became no signal
            of_hour.setdefault(_hour(one.received_at), []).append(one.pk)
    counts = {hour: Counter(signals=len(pks)) for hour, pks in of_hour.items()}
    hour_of = {pk: hour for hour, pks in of_hour.items() for pk in pks[:: -(-len(pks) // LOOKED_INTO)]}
    found = _looked_into(list(hour_of))
    consents = customers.consents_of({one.customer_id for one in found if one.customer_id and one.email})
    compiled, _ = mapping.compile_or_default(source.identity_mapping)
    for signal in found:
        row = counts[hour_of[signal.pk]]
        row["sampled"] += 1
        row["identified"] += bool(signal.customer_id)
        if signal.customer_id and signal.email:
            row["with_email"] += 1
            row["with_consent"] += consents[signal.customer_id].get(MAY_BE_MAILED, False)
        row.update(list(mapping.extract(compiled, signal.extra, signal.events).identifiers))
    return counts


def _looked_into(pks: Sequence[UUID]) -> list[_Signal]:
    columns = ("pk", "identifier__customer_id", "identifier__customer__email", "extra", "relevant_events")
    return list(starmap(_Signal, ShopperSignal.objects.filter(pk__any_of=pks).values_list(*columns)))


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
