"""Processing stored deliveries again, or at last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction

from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem, WebhookDelivery

A_TIME = 500


def replay(*, deliveries: Iterable[WebhookDelivery], now: datetime) -> int:
    """
    Put stored deliveries into the inbox again and return how many are to be processed.

    Safe to repeat: a delivery stands there once, and a signal that exists is neither stored nor folded nor acted on
    again. Those of a paused source wait until it goes on.
    """
    rest = iter(deliveries)
    chunks = iter(lambda: list(islice(rest, A_TIME)), [])
    return sum(_replay({delivery.id: delivery.source_id for delivery in chunk}, now) for chunk in chunks)


@transaction.atomic
def _replay(sources: dict[UUID, UUID], now: datetime) -> int:
    InboxItem.objects.bulk_create(
        [
            InboxItem(delivery_id=delivery, source_id=source, state=InboxState.PARKED, due_at=now)
            for delivery, source in sources.items()
        ],
        ignore_conflicts=True,
    )
    waiting = InboxItem.objects.filter(pk__in=sources)
    waiting.filter(state=InboxState.QUARANTINED, source__is_paused=True).update(state=InboxState.PARKED)
    return (
        waiting.exclude(state=InboxState.PENDING)
        .filter(source__is_paused=False)
        .update(state=InboxState.PENDING, attempts=0, due_at=now, error="", lease_token=None, lease_until=None)
    )


def release_parked(*, now: datetime) -> int:
    """
    Let go of the parked deliveries of sources that are not paused, and return how many.

    A sweeper calls it too: a request that saw its source paused may commit after somebody let the source go on.
    """
    parked = InboxItem.objects.filter(state=InboxState.PARKED, source__is_paused=False).order_by("pk")
    count = 0
    while chunk := list(parked.values_list("pk", flat=True)[:A_TIME]):
        count += InboxItem.objects.filter(pk__in=chunk, state=InboxState.PARKED).update(
            state=InboxState.PENDING, due_at=now
        )
    return count
