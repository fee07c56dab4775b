"""The raw requests of a person, for export and erasure; the timeline shows the signals that they became."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from signals_app.customers.facets import Facet, TimelineEntry
from signals_app.customers.models import Customer
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import inbox
from signals_app.webhooks.models import ShopDelivery, WebhookDelivery

A_TIME = 500


def _ids(customer: Customer) -> list[UUID]:
    # A signal has the id of the delivery that brought it.
    signals = ShopperSignal.objects.filter(identifier__customer=customer).values_list("pk", flat=True)
    from_shops = ShopDelivery.objects.filter(identifier__customer=customer).values_list("pk", flat=True)
    return [*signals, *from_shops]


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    return []


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    deliveries = WebhookDelivery.objects.filter(pk__in=_ids(customer)).order_by("received_at", "pk")
    return {
        "deliveries": [
            {
                "id": str(delivery.pk),
                "received_at": delivery.received_at.isoformat(),
                "body": bytes(delivery.body).decode("utf-8", "replace"),
            }
            for delivery in deliveries
        ]
    }


def erase(customer: Customer) -> int:
    """Delete the raw requests behind the person's signals, before the room below deletes the signals."""
    rest, count = iter(_ids(customer)), 0
    while chunk := list(islice(rest, A_TIME)):
        inbox.forget_bodies(delivery_ids=chunk)
        count += WebhookDelivery.objects.filter(pk__in=chunk).delete()[1].get("webhooks.WebhookDelivery", 0)
    return count


FACET = Facet(
    name="webhooks",
    label="Incoming log",
    models=(WebhookDelivery, ShopDelivery),
    timeline=timeline,
    export=export,
    erase=erase,
)
