"""Comparing what we know of orders with what the shop says: a webhook that was lost shows here, and is made good."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import timezone

from signals_app.customers.constants import OrderState
from signals_app.customers.models import Order
from signals_app.shops.constants import ObjectKind
from signals_app.shops.models import ShopConnection, ShopDifference, ShopObject
from signals_app.shops.records import ShopOrder
from signals_app.shops.services.orders import put_order

STILL_ON_ITS_WAY = timedelta(minutes=15)
"""A webhook about what changed this lately may not have come yet; Shopify itself tries again for hours."""


def compare_and_put(*, shop: ShopConnection, said: ShopOrder, started_at: datetime, now: datetime) -> bool:
    """Note how an order differs from what the shop says, if it does, make it the same, and say whether it differed."""
    if said.changed_at > started_at - STILL_ON_ITS_WAY:
        return False
    known = Order.objects.filter(project=shop.project, order_id=said.order_id).first()
    if known is None and not said.identifiers:
        return False
    what = _differences(shop, known, said)
    put_order(shop=shop, said=said, now=now)
    if what:
        ShopDifference.objects.create(shop=shop, order_id=said.order_id, what=what[:500], found_at=now)
    return bool(what)


def _differences(shop: ShopConnection, known: Order | None, said: ShopOrder) -> str:
    shown = said.name or said.order_id
    if known is None:
        placed = timezone.localtime(said.placed_at, ZoneInfo(shop.project.time_zone))
        return f"{shown} of {placed:%-d %B %Y} was missing: {said.total} {said.currency}."
    newest = ShopObject.objects.filter(shop=shop, kind=ObjectKind.ORDER, object_id=said.order_id)
    if newest.filter(changed_at__gt=said.changed_at).exists():
        return ""  # ours is the newer: a webhook came while we read
    refunded = min(sum((refund.amount for refund in said.refunds), start=Decimal(0)), said.total)
    found = []
    if (known.total, known.currency) != (said.total, said.currency):
        found.append(f"its total was {known.total} {known.currency}, not {said.total} {said.currency}")
    if known.refunded_total < refunded:
        found.append(f"refunded was {known.refunded_total}, not {refunded} {said.currency}")
    if said.is_cancelled and known.state != OrderState.CANCELLED:
        found.append("it was not known to be cancelled")
    sent = {each.fulfilment_id for each in said.fulfilments}
    missing = len(sent - set(known.fulfilments.values_list("fulfilment_id", flat=True)))
    if missing:
        found.append(f"{missing} of its shipments {'were' if missing > 1 else 'was'} missing")
    return f"{shown}: {'; '.join(found)}." if found else ""
