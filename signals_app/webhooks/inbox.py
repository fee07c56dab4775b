"""
Keeping what came: the only thing that happens between a verified request and its answer.

An acknowledgement is a durable commit, so `keep` returns after its one short transaction has committed, and raises
what the database raised if it has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from signals_app.core.clock import Now
from signals_app.core.models import new_id
from signals_app.webhooks.constants import DeliveryVerdict, InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, SeenBody, WebhookDelivery, WebhookSource

DUPLICATE = "DUPLICATE"
RECEIVED = "RECEIVED"
STATE_OF_VERDICT = {
    DeliveryVerdict.ACCEPTED: InboxState.PENDING,
    DeliveryVerdict.PARKED: InboxState.PARKED,
    DeliveryVerdict.MALFORMED: InboxState.QUARANTINED,
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified request that is to be kept."""

    source: WebhookSource
    body: bytes
    verdict: DeliveryVerdict
    content_type: str = ""
    error: str = ""
    received_at: datetime | None = None
    """None: now, by the database's clock."""

    @property
    def key(self) -> tuple[UUID, bytes]:
        return self.source.id, hashlib.sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an arrival is kept; of a repeat, where its first copy is."""

    delivery_id: UUID
    is_duplicate: bool


def keep(arrivals: Sequence[Arrival]) -> list[Receipt]:
    """
    Store verified requests for ever, in one transaction, and return a receipt for each, in their order.

    The same bytes again, inside the source's window after the accepted copy, are counted on that copy and not stored:
    the sender gives no event id, so bytes are all that a repeat can be known by.
    """
    with transaction.atomic():
        seen = _SeenBodies(arrivals)
        receipts, fresh = [], []
        for arrival in arrivals:
            first = seen.repeated_by(arrival)
            if first is None:
                fresh.append((arrival, _delivery(arrival, seen.accept(arrival))))
            receipts.append(Receipt(first or fresh[-1][1].id, is_duplicate=first is not None))
        if fresh:
            WebhookDelivery.objects.bulk_create([delivery for _, delivery in fresh])
            InboxItem.objects.bulk_create([_item(arrival, delivery) for arrival, delivery in fresh])
    return receipts


def _delivery(arrival: Arrival, delivery_id: UUID) -> WebhookDelivery:
    delivery = WebhookDelivery(
        id=delivery_id,
        source=arrival.source,
        verdict=arrival.verdict,
        body=arrival.body,
        body_sha256=arrival.key[1],
        content_type=arrival.content_type[:100],
    )
    if arrival.received_at is not None:
        delivery.received_at = arrival.received_at
    return delivery


def _item(arrival: Arrival, delivery: WebhookDelivery) -> InboxItem:
    return InboxItem(
        delivery=delivery,
        source=arrival.source,
        state=STATE_OF_VERDICT[arrival.verdict],
        error=arrival.error[:500],
    )


class _SeenBodies:
    """What came before of a batch of arrivals, locked until the transaction ends."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.windows = {arrival.key: arrival.source.duplicate_window_seconds for arrival in arrivals}
        self.proposed = {key: new_id() for key in sorted(self.windows) if self.windows[key]}
        """The delivery that each body will be, if it is new."""
        self.rows: dict[tuple[UUID, bytes], SeenBody] = {}
        self.accepted: set[tuple[UUID, bytes]] = set()
        if not self.proposed:
            return
        # Inserting first, in one order for everybody, makes two requests with the same new bytes wait for each other.
        SeenBody.objects.bulk_create(
            [SeenBody(source_id=key[0], body_sha256=key[1], delivery_id=id_) for key, id_ in self.proposed.items()],
            ignore_conflicts=True,
        )
        ours = Q(source__in={source for source, _ in self.proposed}, body_sha256__in={sha for _, sha in self.proposed})
        rows = SeenBody.objects.select_for_update(no_key=True).filter(ours).order_by("source", "body_sha256")
        for row in rows.annotate(as_of=Now()):
            self.rows[row.source_id, bytes(row.body_sha256)] = row

    def repeated_by(self, arrival: Arrival) -> UUID | None:
        """Return the delivery that this arrival repeats, and count the repeat; None if it repeats nothing."""
        row = self.rows.get(arrival.key)
        if row is None or (row.delivery_id == self.proposed[arrival.key] and arrival.key not in self.accepted):
            return None
        if row.accepted_at <= row.as_of - timedelta(seconds=self.windows[arrival.key]):  # type: ignore[attr-defined]
            return None
        SeenBody.objects.filter(pk=row.pk).update(duplicate_count=F("duplicate_count") + 1)
        count(row.source_id, DUPLICATE, at=row.as_of)  # type: ignore[attr-defined]
        return row.delivery_id

    def accept(self, arrival: Arrival) -> UUID:
        """Return the id of the delivery that this arrival becomes, and remember its body from now on."""
        row = self.rows.get(arrival.key)
        if row is None:
            return new_id()
        proposed = self.proposed[arrival.key]
        if row.delivery_id != proposed:  # the window of an older copy has passed
            row.delivery_id, row.accepted_at, row.duplicate_count = proposed, row.as_of, 0  # type: ignore[attr-defined]
            row.save(update_fields=["delivery_id", "accepted_at", "duplicate_count"])
        self.accepted.add(arrival.key)
        return proposed


def count(source_id: UUID, outcome: str, *, at: datetime, by: int = 1) -> None:
    """Add to the number of requests of a source that ended so in the hour of `at`."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    row = HourlyCount.objects.filter(source=source_id, hour=hour, outcome=outcome)
    if row.update(count=F("count") + by):
        return
    first = HourlyCount(source_id=source_id, hour=hour, outcome=outcome, count=0)
    HourlyCount.objects.bulk_create([first], ignore_conflicts=True)
    row.update(count=F("count") + by)


def forget_bodies(*, delivery_ids: Iterable[UUID]) -> int:
    """Delete what is remembered of the bodies of these deliveries; the same bytes count as new afterwards."""
    return SeenBody.objects.filter(delivery_id__in=list(delivery_ids)).delete()[0]
