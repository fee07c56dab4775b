"""Processing stored deliveries again, or at last; and setting aside those that nobody will process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource

A_TIME = 500


def replay(*, deliveries: Iterable[WebhookDelivery], now: datetime) -> int:
    """
    Put stored deliveries into the inbox again and return how many are to be processed.

    Safe to repeat: a delivery stands there once, and a signal that exists is neither stored nor folded nor acted on
    again. Those of a paused source wait until it goes on.
    """
    rest = iter(deliveries)
    chunks = iter(lambda: list(islice(rest, A_TIME)), [])
    return sum(replay_slice(delivery_ids=[delivery.id for delivery in chunk], now=now) for chunk in chunks)


@transaction.atomic
def replay_slice(*, delivery_ids: Iterable[UUID], now: datetime) -> int:
    """Put a few deliveries into the inbox again, in one transaction, and return how many are to be processed."""
    # Locked, so that none is deleted for its age between here and the commit.
    held = WebhookDelivery.objects.select_for_update(no_key=True).filter(pk__in=list(delivery_ids)).order_by("pk")
    sources = dict(held.values_list("pk", "source_id"))
    InboxItem.objects.bulk_create(
        [
            InboxItem(delivery_id=delivery, source_id=source, state=InboxState.PARKED, due_at=now)
            for delivery, source in sources.items()
        ],
        ignore_conflicts=True,
    )
    idle = InboxItem.objects.filter(pk__in=sources).exclude(state=InboxState.PENDING)
    list(idle.select_for_update(no_key=True).order_by("pk").values_list("pk"))  # in one order for everybody
    again = {"replays": F("replays") + 1, "replayed_at": now, "set_aside_by": "", "set_aside_at": None}
    idle.filter(source__is_paused=True).exclude(state=InboxState.PARKED).update(state=InboxState.PARKED, **again)
    return idle.filter(source__is_paused=False).update(
        state=InboxState.PENDING, attempts=0, due_at=now, error="", lease_token=None, lease_until=None, **again
    )


def in_slices(
    deliveries: QuerySet[WebhookDelivery], *, after: tuple[datetime, UUID] | None = None, size: int = A_TIME
) -> Iterator[list[tuple[UUID, datetime]]]:
    """
    Yield ids and times of deliveries in the order in which they came, a slice at a time, beginning after a place.

    Each slice is read when it is asked for, and the place only moves on: what a replay brings back does not come twice.
    """
    ordered = deliveries.order_by("received_at", "pk")
    while True:
        rest = ordered if after is None else ordered.filter(_comes_after(*after))
        if not (found := list(rest.values_list("pk", "received_at")[:size])):
            return
        yield found
        after = found[-1][1], found[-1][0]


def _comes_after(received_at: datetime, pk: UUID) -> Q:
    # The first condition is implied by the second, but only it lets the database begin in the middle of an index.
    return Q(received_at__gte=received_at) & (Q(received_at__gt=received_at) | Q(pk__gt=pk))


def set_aside(*, items: QuerySet[InboxItem], by: str, now: datetime) -> int:
    """Take what needs fixing off the list, by the name of who decided it; the bytes stay in the incoming log."""
    chosen, count = items.filter(state=InboxState.QUARANTINED), 0
    while chunk := list(chosen.values_list("pk", flat=True)[:A_TIME]):
        count += InboxItem.objects.filter(pk__in=chunk, state=InboxState.QUARANTINED).update(
            state=InboxState.SET_ASIDE, set_aside_by=by, set_aside_at=now
        )
    return count


def bring_back(*, items: QuerySet[InboxItem]) -> int:
    """Put what was set aside on the list again."""
    return InboxItem.objects.filter(pk__in=items.values("pk"), state=InboxState.SET_ASIDE).update(
        state=InboxState.QUARANTINED, set_aside_by="", set_aside_at=None
    )


def release_parked(*, now: datetime) -> int:
    """
    Let go of the parked deliveries of sources that are not paused, and return how many.

    A sweeper calls it too: a request that saw its source paused may commit after somebody let the source go on.
    """
    parked = InboxItem.objects.filter(state=InboxState.PARKED)
    # One look into the index a source. A join, or an EXISTS, which becomes one, may read all that a paused source has.
    first = parked.filter(source=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    going_on = WebhookSource.objects.filter(is_paused=False).annotate(parked=Subquery(first)).exclude(parked=None)
    return sum(_release(parked.filter(source=pk), now) for pk in going_on.values_list("pk", flat=True))


def _release(parked: QuerySet[InboxItem], now: datetime) -> int:
    count = 0
    while chunk := list(parked.order_by("pk").values_list("pk", flat=True)[:A_TIME]):
        count += parked.filter(pk__in=chunk).update(state=InboxState.PENDING, due_at=now)
    return count
