"""What the shop connection itself knows about a person: what they asked for by law."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.facets import Facet, TimelineEntry
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.shops.constants import ObjectKind
from signals_app.shops.models import PrivacyRequest, RefundSeen, ShopConnection, ShopObject


def _requests(customer: Customer) -> Any:
    return PrivacyRequest.objects.filter(identifier__customer=customer)


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    requests = _requests(customer).order_by("-received_at", "-pk")
    if before is not None:
        requests = requests.filter(received_at__lt=before)
    return [
        TimelineEntry(
            one.received_at,
            "privacy_request",
            one.get_kind_display(),
            one.note,
            "info" if one.done_at else "warn",
            reference=str(one.pk),
        )
        for one in requests[:limit]
    ]


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    requests = _requests(customer).order_by("received_at", "pk")
    return {
        "privacy_requests": [
            {
                "id": str(one.pk),
                "kind": one.kind,
                "received_at": one.received_at.isoformat(),
                "done_at": one.done_at.isoformat() if one.done_at else None,
                "note": one.note,
            }
            for one in requests
        ]
    }


def erase(customer: Customer) -> int:
    """Delete requests, and the shop's numbers of the person and their orders, by which they could be found again."""
    orders = list(Order.objects.filter(identifier__customer=customer).values_list("order_id", flat=True))
    known = Identifier.objects.filter(customer=customer, kind=IdentifierKind.EXTERNAL_ID)
    numbers = list(known.values_list("value", flat=True))
    shops = ShopConnection.objects.filter(project=customer.project_id)
    own = Q(kind=ObjectKind.ORDER, object_id__in=orders) | Q(kind=ObjectKind.CUSTOMER, object_id__in=numbers)
    for number in numbers:
        own |= Q(kind=ObjectKind.TAG, object_id__startswith=f"{number}:")
    count: int = _requests(customer).delete()[0]
    count += ShopObject.objects.filter(own, shop__in=shops).delete()[0]
    return count + RefundSeen.objects.filter(shop__in=shops, order_id__in=orders).delete()[0]


FACET = Facet(
    name="shops",
    label="Shop",
    models=(PrivacyRequest,),
    timeline=timeline,
    export=export,
    erase=erase,
)
