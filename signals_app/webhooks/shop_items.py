"""From a shop's webhook in the inbox to what it changes: one transaction each, so that one holds up no other."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from signals_app.shops import services as shops
from signals_app.shops.models import ShopConnection
from signals_app.webhooks.models import InboxItem, ShopDelivery, WebhookDelivery


@transaction.atomic
def apply(
    *, delivery_id: UUID, body: bytes, received_at: datetime, shop: ShopConnection, token: UUID, now: datetime
) -> bool:
    """
    Do what a webhook says and take it off the inbox; or nothing, if the lease is no longer ours.

    :raises UnusableData: if nothing can be done with it, now or later; OrderNotKnown: if later it can.
    """
    held = InboxItem.objects.select_for_update(no_key=True).filter(pk=delivery_id, lease_token=token)
    replays = held.values_list("replays", flat=True).first()
    if replays is None:
        return False
    headers = ShopDelivery.objects.get(pk=delivery_id)
    webhook = shops.Webhook(
        topic=headers.topic, reference=str(delivery_id), come_at=headers.triggered_at or received_at
    )
    outcome = shops.apply(shop=shop, webhook=webhook, body=body, now=now)
    InboxItem.objects.filter(pk=delivery_id).delete()
    if outcome.must_forget:
        WebhookDelivery.objects.filter(pk=delivery_id).delete()
    elif outcome.identifier is not None:
        ShopDelivery.objects.filter(pk=delivery_id).update(identifier=outcome.identifier.pk)
    if not replays:
        shops.count(shop=shop, webhook=webhook, outcome=outcome)
    return True
