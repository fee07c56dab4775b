"""
Keeping what a shop posts: as `inbox` does for signals, but here the sender numbers its webhooks.

The same bytes under two topics are two webhooks (an order is created and paid in one moment), and what is sent again has
the number of the first time. So `ShopDelivery` is unique in (source, number), whatever the bytes are; inserting there
first makes two processes with the same webhook wait for one another, and whose delivery stands there was first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import F

from signals_app.core.models import new_id
from signals_app.webhooks.inbox import STATE_OF_VERDICT, Arrival, Receipt
from signals_app.webhooks.models import InboxItem, ShopDelivery, WebhookDelivery
from signals_app.webhooks.shared_commit import SharedCommit

Number = tuple[UUID, str]
"""(source id, the shop's number of the webhook)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopArrival(Arrival):
    """A verified webhook of a shop that is to be kept, with what its headers said."""

    topic: str
    webhook_id: str
    event_id: str = ""
    triggered_at: datetime | None = None

    @property
    def number(self) -> Number:
        return self.source_id, self.webhook_id


def number_of(webhook_id: str, topic: str, body: bytes) -> str:
    """Return what tells a webhook from others: the shop's number, or, without one, a hash of topic and bytes."""
    return webhook_id or "sha256:" + hashlib.sha256(topic.encode() + b"\0" + body).hexdigest()


def store(arrivals: Sequence[Arrival]) -> list[Receipt]:
    """Store webhooks for ever, in one transaction, and return a receipt for each; repeats are counted on the first."""
    given = cast("Sequence[ShopArrival]", arrivals)
    first_of: dict[Number, ShopArrival] = {}
    for arrival in given:
        first_of.setdefault(arrival.number, arrival)
    proposed = {number: new_id() for number in sorted(first_of)}
    with transaction.atomic():
        ShopDelivery.objects.bulk_create(
            [_headers(first_of[number], delivery_id) for number, delivery_id in proposed.items()],
            ignore_conflicts=True,
        )
        standing = _standing(first_of)
        fresh = [number for number, delivery_id in proposed.items() if standing[number] == delivery_id]
        WebhookDelivery.objects.bulk_create([_delivery(first_of[number], proposed[number]) for number in fresh])
        InboxItem.objects.bulk_create([_item(first_of[number], proposed[number]) for number in fresh])
        receipts = _receipts(given, standing, set(fresh))
        for delivery_id, count in Counter(each.delivery_id for each in receipts if each.is_duplicate).items():
            repeated = ShopDelivery.objects.filter(pk=delivery_id)
            repeated.update(duplicate_count=F("duplicate_count") + count)
    return receipts


def _receipts(given: Iterable[ShopArrival], standing: dict[Number, UUID], fresh: set[Number]) -> list[Receipt]:
    receipts = []
    for arrival in given:
        receipts.append(Receipt(standing[arrival.number], arrival.number not in fresh))
        fresh.discard(arrival.number)  # the same again in this very group is a repeat
    return receipts


def _standing(numbers: Iterable[Number]) -> dict[Number, UUID]:
    found: dict[Number, UUID] = {}
    by_source: dict[UUID, list[str]] = {}
    for source_id, webhook_id in numbers:
        by_source.setdefault(source_id, []).append(webhook_id)
    for source_id, ids in by_source.items():
        rows = ShopDelivery.objects.filter(source=source_id, webhook_id__in=ids)
        found |= {(source_id, webhook_id): pk for webhook_id, pk in rows.values_list("webhook_id", "pk")}
    return found


def _headers(arrival: ShopArrival, delivery_id: UUID) -> ShopDelivery:
    return ShopDelivery(
        delivery_id=delivery_id,
        source_id=arrival.source_id,
        topic=arrival.topic,
        webhook_id=arrival.webhook_id,
        event_id=arrival.event_id,
        triggered_at=arrival.triggered_at,
    )


def _delivery(arrival: ShopArrival, delivery_id: UUID) -> WebhookDelivery:
    delivery = WebhookDelivery(
        id=delivery_id,
        source_id=arrival.source_id,
        verdict=arrival.verdict,
        body=arrival.body,
        body_sha256=hashlib.sha256(arrival.body).digest(),
        content_type=arrival.content_type[:100],
    )
    if arrival.received_at is not None:
        delivery.received_at = arrival.received_at
    return delivery


def _item(arrival: ShopArrival, delivery_id: UUID) -> InboxItem:
    return InboxItem(
        delivery_id=delivery_id,
        source_id=arrival.source_id,
        state=STATE_OF_VERDICT[arrival.verdict],
        error=arrival.error[:500],
    )


_shared = SharedCommit(store=store)


def keep(arrival: ShopArrival) -> Receipt:
    """Store a webhook durably, together with those of other threads; :raises django.db.Error: if it is not."""
    return _shared.keep(arrival)
