"""What the shop connection itself knows about a person: what they asked for by law."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from signals_app.customers import newest
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.facets import ErasePart, Excerpt, ExportTable, Facet, Step, Subject, TimelineEntry, deleting
from signals_app.customers.models import Customer, Fulfilment, Order
from signals_app.customers.services import tombstones
from signals_app.shops.constants import ObjectKind, PrivacyKind
from signals_app.shops.models import PrivacyRequest, RefundSeen, ShopConnection, ShopDifference, ShopObject
from signals_app.shops.services.orders import order_key


def _requests(customer: Customer) -> QuerySet[PrivacyRequest]:
    return PrivacyRequest.objects.filter(identifier__customer=customer)


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    return [
        TimelineEntry(
            one.received_at,
            "privacy_request",
            one.get_kind_display(),
            one.note,
            "info" if one.done_at else "warn",
            reference=str(one.pk),
        )
        for one in newest.ordered(_requests(customer), excerpt, kind="privacy_request", at="received_at")
    ]


def _asked(customer: Customer) -> Iterator[dict[str, Any]]:
    for one in _requests(customer).order_by("received_at", "pk"):
        yield {
            "id": str(one.pk),
            "kind": one.kind,
            "received_at": one.received_at.isoformat(),
            "done_at": one.done_at.isoformat() if one.done_at else None,
            "note": one.note,
        }


def _forget_numbers(subject: Subject, place: str, limit: int) -> Step:
    """
    Delete the shop's numbers of the person and their orders, by which they could be found again.

    A refund or shipment names nobody but its order, so orders leave tombstones too: what comes late is known by them.
    """
    orders = list(Order.objects.filter(identifier__customer=subject.customer).values_list("order_id", flat=True))
    sent = Fulfilment.objects.filter(order__identifier__customer=subject.customer)
    shipments = list(sent.values_list("fulfilment_id", flat=True))
    numbers = [key.value for key in subject.known_ids if key.kind == IdentifierKind.EXTERNAL_ID]
    if subject.erasure_id:
        keys = map(order_key, orders)
        tombstones.bury(
            project=subject.customer.project, keys=keys, erasure_id=subject.erasure_id, now=subject.begun_at
        )
    shops = ShopConnection.objects.filter(project=subject.customer.project_id)
    own = Q(kind=ObjectKind.ORDER, object_id__in=orders) | Q(kind=ObjectKind.CUSTOMER, object_id__in=numbers)
    own |= Q(kind=ObjectKind.FULFILMENT, object_id__in=shipments)
    for number in numbers:
        own |= Q(kind=ObjectKind.TAG, object_id__startswith=f"{number}:")
    count: int = ShopObject.objects.filter(own, shop__in=shops).delete()[0]
    for model in (RefundSeen, ShopDifference):
        count += model._default_manager.filter(shop__in=shops, order_id__in=orders).delete()[0]
    return Step(count)


FACET = Facet(
    name="shops",
    label="Shop",
    models=(PrivacyRequest,),
    timeline=timeline,
    kinds={"privacy_request": "Consent"},
    tables=(
        ExportTable(
            "privacy_requests",
            "What you asked for by law",
            _asked,
            {"kind": "Request", "received_at": "When", "done_at": "Done"},
            dict(PrivacyKind.choices),
        ),
    ),
    parts=(
        ErasePart("The shop's numbers of them and their orders", _forget_numbers),
        ErasePart("Privacy requests", deleting(lambda subject: _requests(subject.customer))),
    ),
)
