"""
Keeping what came: the only thing that happens between a verified request and its answer.

An acknowledgement is a durable commit, so `keep` returns after its one short transaction has committed, and raises
what the database raised if it has not.

Note [Which copy is the first]

The sender gives no event id, so bytes are all that a repeat can be known by. Each arrival proposes the id of the
delivery that it would become. `SeenBody` is unique in (source, hash of the body); inserting there, in one order for
everybody, makes two processes with the same new bytes wait for one another. Whose proposal stands in the row
afterwards is new; whoever finds another id there has brought a copy of that delivery. A row whose window has passed
takes the new proposal.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import BooleanField, F, IntegerField
from django.utils import timezone

from signals_app.core import arrays
from signals_app.core.cursors import LastingConnection, bound_cursor
from signals_app.core.models import new_id
from signals_app.webhooks import inbox_sql
from signals_app.webhooks.constants import DeliveryVerdict, InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, SeenBody, WebhookDelivery

logger = logging.getLogger(__name__)

DUPLICATE = "DUPLICATE"
RECEIVED = "RECEIVED"
STATE_OF_VERDICT = {
    DeliveryVerdict.ACCEPTED: InboxState.PENDING,
    DeliveryVerdict.PARKED: InboxState.PARKED,
    DeliveryVerdict.MALFORMED: InboxState.QUARANTINED,
}

lasting_connection = LastingConnection()
"""For whoever leads a shared commit."""

_of_delivery, _of_item = WebhookDelivery._meta.get_field, InboxItem._meta.get_field
_GIVEN: tuple[Any, ...] = (
    *map(_of_delivery, ("id", "source", "body_sha256", "body", "verdict", "content_type", "received_at")),
    *map(_of_item, ("state", "error")),
    BooleanField(),
    IntegerField(),
)
"""The columns of `given` in the statement; the last two are whether it may be a repeat, and `repeats`."""

Key = tuple[UUID, bytes]
"""(source id, SHA-256 of the body)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified request that is to be kept."""

    source_id: UUID
    body: bytes
    verdict: DeliveryVerdict
    duplicate_window_seconds: int = 0
    """Whether the same bytes may be a repeat; 0: never. For how long is read from the source when it matters."""
    content_type: str = ""
    error: str = ""
    received_at: datetime | None = None
    """None: now, by the database's clock."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an arrival is kept; of a repeat, where its first copy is."""

    delivery_id: UUID
    is_duplicate: bool


@dataclass(slots=True)
class _Proposed:
    """An arrival with the delivery that it will be if it is new, and how often its bytes stand in this group again."""

    arrival: Arrival
    sha256: bytes
    delivery_id: UUID
    repeats: int = 0

    @property
    def may_be_repeat(self) -> bool:
        return self.arrival.duplicate_window_seconds > 0


def keep(arrivals: Sequence[Arrival]) -> list[Receipt]:
    """
    Store verified requests for ever, in one transaction, and return a receipt for each, in their order.

    The same bytes again, inside the source's window after the accepted copy, are counted on that copy and not stored.
    """
    proposals, own = _propose(arrivals)
    store = _store_in_one_statement if connection.vendor == "postgresql" else _store_in_turn
    kept = store(sorted(proposals, key=lambda proposed: (proposed.arrival.source_id.bytes, proposed.sha256)))
    receipts, given_out, repeats = [], set[UUID](), Counter[UUID]()
    for proposed in own:
        delivery_id = kept.get(proposed.delivery_id, proposed.delivery_id)
        is_duplicate = delivery_id != proposed.delivery_id or delivery_id in given_out
        repeats[proposed.arrival.source_id] += is_duplicate
        given_out.add(delivery_id)
        receipts.append(Receipt(delivery_id, is_duplicate))
    _count_repeats(+repeats)
    return receipts


def _count_repeats(repeats: Mapping[UUID, int]) -> None:
    """Count what is already committed; that this may fail is no reason to refuse it."""
    for source_id, number in sorted(repeats.items()):
        try:
            count(source_id, DUPLICATE, at=timezone.now(), by=number)
        except Error:
            logger.warning("Repeats could not be counted.", exc_info=True, extra={"source_id": str(source_id)})


def _propose(arrivals: Sequence[Arrival]) -> tuple[list[_Proposed], list[_Proposed]]:
    """Return the different proposals of a group, and for each arrival the one that it belongs to."""
    of_key: dict[Key, _Proposed] = {}
    proposals, own = [], []
    for arrival in arrivals:
        sha256 = hashlib.sha256(arrival.body).digest()
        same = of_key.get((arrival.source_id, sha256))
        if same is not None:
            same.repeats += 1
            own.append(same)
            continue
        proposed = _Proposed(arrival, sha256, new_id())
        proposals.append(proposed)
        own.append(proposed)
        if proposed.may_be_repeat:
            of_key[arrival.source_id, sha256] = proposed
    return proposals, own


def _store_in_one_statement(proposals: Sequence[_Proposed]) -> dict[UUID, UUID]:
    """Return {proposed delivery id: the id that counts} of those that repeat an earlier delivery."""
    rows = [
        (
            proposed.delivery_id,
            proposed.arrival.source_id,
            proposed.sha256,
            proposed.arrival.body,
            proposed.arrival.verdict.value,
            proposed.arrival.content_type[:100],
            proposed.arrival.received_at,
            STATE_OF_VERDICT[proposed.arrival.verdict].value,
            proposed.arrival.error[:500],
            proposed.may_be_repeat,
            proposed.repeats,
        )
        for proposed in proposals
    ]
    try:
        with bound_cursor(lasting_connection.get()) as cursor:
            columns = zip(*rows, strict=True)
            parameters = [arrays.literal(field, column) for field, column in zip(_GIVEN, columns, strict=True)]
            cursor.execute(inbox_sql.KEEP_ON_POSTGRESQL, parameters)
            return dict(cursor.fetchall())
    except (OperationalError, InterfaceError):
        lasting_connection.close()
        raise


def _store_in_turn(proposals: Sequence[_Proposed]) -> dict[UUID, UUID]:
    """Do the same in several statements, for SQLite, where they cost no round trips."""
    with transaction.atomic():
        known = _remember([proposed for proposed in proposals if proposed.may_be_repeat])
        fresh = [proposed for proposed in proposals if proposed.delivery_id not in known]
        if fresh:
            WebhookDelivery.objects.bulk_create(map(_delivery, fresh))
            InboxItem.objects.bulk_create(map(_item, fresh))
    return known


def _remember(proposals: Sequence[_Proposed]) -> dict[UUID, UUID]:
    """Remember these bodies and count the repeats; return {proposed delivery id: that of the first copy} of repeats."""
    if not proposals:
        return {}
    with connection.cursor() as cursor:
        cursor.executemany(
            inbox_sql.REMEMBER_ON_SQLITE,
            [
                (proposed.arrival.source_id.hex, proposed.sha256, proposed.delivery_id.hex, proposed.repeats)
                for proposed in proposals
            ],
        )
    seen = SeenBody.objects.filter(body_sha256__in=[proposed.sha256 for proposed in proposals])
    first = {(row.source_id, bytes(row.body_sha256)): row.delivery_id for row in seen}
    return {
        proposed.delivery_id: first[proposed.arrival.source_id, proposed.sha256]
        for proposed in proposals
        if proposed.delivery_id != first[proposed.arrival.source_id, proposed.sha256]
    }


def _delivery(proposed: _Proposed) -> WebhookDelivery:
    arrival = proposed.arrival
    delivery = WebhookDelivery(
        id=proposed.delivery_id,
        source_id=arrival.source_id,
        verdict=arrival.verdict,
        body=arrival.body,
        body_sha256=proposed.sha256,
        content_type=arrival.content_type[:100],
    )
    if arrival.received_at is not None:
        delivery.received_at = arrival.received_at
    return delivery


def _item(proposed: _Proposed) -> InboxItem:
    arrival = proposed.arrival
    return InboxItem(
        delivery_id=proposed.delivery_id,
        source_id=arrival.source_id,
        state=STATE_OF_VERDICT[arrival.verdict],
        error=arrival.error[:500],
    )


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
