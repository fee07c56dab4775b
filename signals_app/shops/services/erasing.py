"""Erasing the customers of a shop that has removed the app, a few at a time."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from signals_app.customers import services as customer_services
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Order
from signals_app.shops.constants import ObjectKind, PrivacyKind
from signals_app.shops.models import PrivacyRequest, ShopConnection, ShopObject

A_TIME = 10


def count_customers(shop: ShopConnection) -> int:
    """Count what is left of the shop's people: its customers, and orders of guests."""
    return _left(shop).count()


def erase_slice(*, shop: ShopConnection, now: datetime) -> tuple[int, int]:
    """
    Erase whom the next few of the shop's numbers belong to; return how many numbers that were, and how many profiles.

    What an erasure leaves behind is only the number itself, which goes here, so that the walk comes to an end.
    """
    rows = list(_left(shop).order_by("pk")[:A_TIME])
    erased = 0
    for row in rows:
        for customer in _people(shop, row):
            customer_services.erase_customer(customer=customer, now=now)
            erased += 1
        ShopObject.objects.filter(pk=row.pk).delete()
    return len(rows), erased


def finish(*, shop: ShopConnection, by: str, erased: int, now: datetime) -> None:
    """Note on the shop's own request that it was done."""
    requests = PrivacyRequest.objects.filter(shop=shop, kind=PrivacyKind.SHOP_ERASURE, done_at=None)
    requests.update(done_at=now, done_by=by, note=f"{erased:,} profiles were erased.")


def _left(shop: ShopConnection) -> QuerySet[ShopObject]:
    return ShopObject.objects.filter(shop=shop, kind__in=(ObjectKind.CUSTOMER, ObjectKind.ORDER))


def _people(shop: ShopConnection, row: ShopObject) -> list[Customer]:
    if row.kind == ObjectKind.CUSTOMER:
        named = Customer.objects.filter(
            project=shop.project, identifiers__kind=IdentifierKind.EXTERNAL_ID, identifiers__value=row.object_id
        )
    else:
        orders = Order.objects.filter(project=shop.project, order_id=row.object_id)
        named = Customer.objects.filter(project=shop.project, identifiers__in=orders.values("identifier"))
    return list(named.distinct())
