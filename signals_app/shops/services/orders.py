"""Orders, refunds, shipments and checkouts of a shop, put where the other rooms look for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from signals_app.customers import services as customer_services
from signals_app.customers.constants import FulfilmentState, OrderState
from signals_app.customers.exceptions import ErasedIdentifier
from signals_app.customers.joining import Key
from signals_app.customers.models import Identifier, Order
from signals_app.customers.services import tombstones
from signals_app.shops.constants import ObjectKind
from signals_app.shops.exceptions import NothingToDo, OrderNotKnown, UnusableData
from signals_app.shops.models import RefundSeen, ShopConnection
from signals_app.shops.records import ShopCheckout, ShopFulfilment, ShopOrder, ShopRefund
from signals_app.shops.services.newest import hold, is_newest
from signals_app.shops.values import CENT

NOBODY = "It names no shopper: neither a customer nor an e-mail address."
OLDER = "Something newer is known already."


@dataclass(frozen=True, slots=True)
class Put:
    """What came of something a shop said: whom it is about, whether it changed anything, and if not, why."""

    identifier: Identifier | None = None
    is_changed: bool = False
    reason: str = ""


@transaction.atomic
def put_order(*, shop: ShopConnection, said: ShopOrder, now: datetime) -> Put:
    """
    Make an order what the shop says: new, changed, cancelled, refunded in part or whole, shipped.

    Refunds and shipments count whatever their order of arrival; the rest only if nothing newer is known.

    :raises UnusableData: if its refunds are in another currency.
    :raises InvalidInput: of customers, if a value cannot be used, or its shopper was erased.
    """
    project = shop.project
    known = _known(shop, said.order_id)
    if known is None and not said.identifiers:
        return Put(reason=NOBODY)
    is_new = is_newest(shop=shop, kind=ObjectKind.ORDER, object_id=said.order_id, changed_at=said.changed_at)
    _remember_refunds(shop, said.refunds, said.currency)
    refunded = min(_refunded_total(shop, said.order_id), said.total)
    is_changed = False
    if is_new or known is None:
        known, is_changed = _record(shop, said, refunded, now)
    for fulfilment in said.fulfilments:
        is_changed |= _put_fulfilment(shop, known, fulfilment, now)
    customer_services.complete_checkout(
        project=project, checkout_id=said.checkout_id, completed_at=said.placed_at, now=now
    )
    return Put(known.identifier, is_changed, "" if is_changed or is_new else OLDER)


def order_key(order_id: str) -> Key:
    """Return what stands for an order among the tombstones of its shopper."""
    return Key("order_id", order_id)


def _known(shop: ShopConnection, order_id: str) -> Order | None:
    """
    Return an order, None if it has not come yet.

    :raises ErasedIdentifier: if it was erased with its shopper, or is about to be.
    """
    if tombstones.erased_among(project=shop.project, keys=[order_key(order_id)]):
        raise ErasedIdentifier("order_id")
    return Order.objects.filter(project=shop.project, order_id=order_id).select_related("identifier").first()


def _record(shop: ShopConnection, said: ShopOrder, refunded: Decimal, now: datetime) -> tuple[Order, bool]:
    # Read again: the row of the object is held only now.
    known = _known(shop, said.order_id)
    state = _state(said, refunded)
    # A webhook brings all items, the API only the first.
    items = said.items if said.has_all_items or known is None else known.items
    values = (said.total, refunded, said.currency, said.placed_at, items, state, said.name, said.country)
    if known is not None and values == (
        known.total,
        known.refunded_total,
        known.currency,
        known.placed_at,
        known.items,
        known.state,
        known.name,
        known.country if said.country else "",
    ):
        return known, False
    order, _ = customer_services.record_order(
        project=shop.project,
        identifiers=said.identifiers,
        order_id=said.order_id,
        name=said.name,
        total=said.total,
        currency=said.currency,
        placed_at=said.placed_at,
        items=items,
        state=state,
        refunded_total=refunded,
        country=said.country or None,
        now=now,
    )
    return order, True


def _state(said: ShopOrder, refunded: Decimal) -> str:
    if said.is_cancelled:
        return OrderState.CANCELLED.value
    return OrderState.REFUNDED.value if 0 < said.total <= refunded else OrderState.PLACED.value


@transaction.atomic
def put_refund(*, shop: ShopConnection, said: ShopRefund, now: datetime) -> Put:
    """
    Add a refund to what was given back of its order, once. Of an order that is not known yet it is kept until it comes.

    :raises UnusableData: if it is not in the order's currency.
    :raises ErasedIdentifier: if its order was erased with its shopper; nothing is kept then.
    """
    hold(shop=shop, kind=ObjectKind.ORDER, object_id=said.order_id)
    order = _known(shop, said.order_id)
    _remember_refunds(shop, [said], order.currency if order else said.currency)
    if order is None:
        return Put(reason="Its order is not known yet; the refund is kept for it.")
    refunded = min(_refunded_total(shop, said.order_id), order.total)
    is_changed = customer_services.set_refunded(order=order, refunded_total=refunded, now=now)
    return Put(order.identifier, is_changed, "" if is_changed else "This refund is known already.")


def _remember_refunds(shop: ShopConnection, refunds: Iterable[ShopRefund], currency: str) -> None:
    rows = []
    for refund in refunds:
        if refund.currency not in ("", currency):
            raise UnusableData("currency", f"The refund is in {refund.currency}, its order in {currency}.")
        rows.append(
            RefundSeen(
                shop=shop,
                order_id=refund.order_id,
                refund_id=refund.refund_id,
                amount=refund.amount,
                currency=refund.currency,
                refunded_at=refund.refunded_at,
            )
        )
    if rows:
        RefundSeen.objects.bulk_create(rows, ignore_conflicts=True)


def _refunded_total(shop: ShopConnection, order_id: str) -> Decimal:
    paid = RefundSeen.objects.filter(shop=shop, order_id=order_id).aggregate(total=Sum("amount"))["total"]
    # SQLite adds in floating point.
    return Decimal(paid or 0).quantize(CENT)


@transaction.atomic
def put_fulfilment(*, shop: ShopConnection, said: ShopFulfilment, now: datetime) -> Put:
    """
    Record a shipment of an order.

    :raises OrderNotKnown: if the order has not come yet; trying again in a while helps.
    :raises ErasedIdentifier: if it was erased with its shopper.
    """
    order = _known(shop, said.order_id)
    if order is None:
        raise OrderNotKnown(
            f"Order {said.order_id} of this shipment is not known yet. Run the backfill on the page of the shop "
            "connection, then replay this."
        )
    is_changed = _put_fulfilment(shop, order, said, now)
    return Put(order.identifier, is_changed, "" if is_changed else OLDER)


def _put_fulfilment(shop: ShopConnection, order: Order, said: ShopFulfilment, now: datetime) -> bool:
    if not is_newest(shop=shop, kind=ObjectKind.FULFILMENT, object_id=said.fulfilment_id, changed_at=said.changed_at):
        return False
    state = FulfilmentState.CANCELLED if said.is_cancelled else FulfilmentState.SHIPPED
    _, is_changed = customer_services.record_fulfilment(
        order=order,
        fulfilment_id=said.fulfilment_id,
        shipped_at=said.shipped_at,
        state=state,
        tracking_url=said.tracking_url,
        now=now,
    )
    return is_changed


def put_checkout(*, shop: ShopConnection, said: ShopCheckout, now: datetime) -> Put:
    """Record that a shopper is at the till; of one who is not known yet there is nothing to record."""
    if not said.identifiers:
        raise NothingToDo("Nobody is named yet at this checkout.")
    checkout = customer_services.record_checkout(
        project=shop.project,
        identifiers=said.identifiers,
        checkout_id=said.checkout_id,
        started_at=said.started_at,
        active_at=said.changed_at,
        completed_at=said.completed_at,
        total=said.total,
        currency=said.currency,
        now=now,
    )
    # The order may have come first, and the shop not have said yet that it ends the checkout.
    orders = Order.objects.filter(identifier__customer=checkout.identifier.customer_id)
    placed_at = orders.filter(placed_at__gte=said.changed_at).order_by("placed_at").values_list("placed_at", flat=True)
    if checkout.completed_at is None and (ended_at := placed_at.first()) is not None:
        customer_services.complete_checkout(
            project=shop.project, checkout_id=said.checkout_id, completed_at=ended_at, now=now
        )
    return Put(checkout.identifier, True)
