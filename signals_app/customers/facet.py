"""What this room itself knows about a person: known IDs, consent, orders."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Model, Q

from signals_app.customers.constants import FulfilmentState, IdentifierKind, OrderState
from signals_app.customers.facets import Facet, TimelineEntry, Tone
from signals_app.customers.models import (
    Checkout,
    Consent,
    ConsentChange,
    Customer,
    Fulfilment,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    Order,
)


def rows(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with every value as JSON can say it."""
    return [
        {
            name: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
            for name, value in row.items()
        }
        for row in found
    ]


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    orders = Order.objects.filter(identifier__customer=customer).order_by("-placed_at")
    changes = ConsentChange.objects.filter(identifier__customer=customer).order_by("-recorded_at")
    conflicts = _conflicts(customer).select_related("left", "right").order_by("-created_at")
    checkouts = Checkout.objects.filter(identifier__customer=customer).order_by("-active_at")
    shipments = _shipments(customer).select_related("order").order_by("-shipped_at")
    # A session ID comes with every visit and says nothing that the visit's signals do not.
    lasting = Identifier.objects.filter(customer=customer).exclude(kind=IdentifierKind.SESSION_ID)
    identifiers = lasting.order_by("-created_at")
    if before is not None:
        checkouts, shipments = checkouts.filter(active_at__lt=before), shipments.filter(shipped_at__lt=before)
        orders, changes = orders.filter(placed_at__lt=before), changes.filter(recorded_at__lt=before)
        conflicts, identifiers = conflicts.filter(created_at__lt=before), identifiers.filter(created_at__lt=before)
    return sorted(
        [_order_entry(order) for order in orders[:limit]]
        + [_consent_entry(change) for change in changes[:limit]]
        + [_checkout_entry(checkout) for checkout in checkouts[:limit]]
        + [_shipment_entry(shipment) for shipment in shipments[:limit]]
        + [
            TimelineEntry(one.created_at, "conflict", "Possible duplicate", f"{one.left} / {one.right}", "warn")
            for one in conflicts[:limit]
        ]
        + [
            TimelineEntry(one.created_at, "identifier", f"{one.get_kind_display()} known", one.value)
            for one in identifiers[:limit]
        ],
        key=lambda entry: entry.at,
        reverse=True,
    )[:limit]


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    about: dict[str, Any] = {
        "customer": Customer.objects.filter(pk=customer.pk),
        "identifiers": Identifier.objects.filter(customer=customer),
        "links": IdentityEdge.objects.filter(left__customer=customer),
        "conflicts": _conflicts(customer),
        "consents": Consent.objects.filter(identifier__customer=customer),
        "consent_changes": ConsentChange.objects.filter(identifier__customer=customer),
        "orders": Order.objects.filter(identifier__customer=customer),
        "checkouts": Checkout.objects.filter(identifier__customer=customer),
        "shipments": _shipments(customer),
    }
    return {name: rows(found.order_by("pk").values()) for name, found in about.items()}


def erase(customer: Customer) -> int:
    """Delete orders, consents and identifiers with their links; the customer itself is deleted after all facets."""
    count: int = _shipments(customer).delete()[0]
    models: tuple[type[Model], ...] = (Checkout, Order, Consent, ConsentChange)
    for model in models:
        count += model._default_manager.filter(identifier__customer=customer).delete()[0]
    return count + Identifier.objects.filter(customer=customer).delete()[0]


FACET = Facet(
    name="customers",
    label="Profile",
    models=(Customer, Identifier, IdentityEdge, IdentityConflict, Consent, ConsentChange, Order, Checkout, Fulfilment),
    timeline=timeline,
    export=export,
    erase=erase,
)


def _conflicts(customer: Customer) -> Any:
    return IdentityConflict.objects.filter(Q(left__customer=customer) | Q(right__customer=customer))


def _shipments(customer: Customer) -> Any:
    return Fulfilment.objects.filter(order__identifier__customer=customer)


def _checkout_entry(checkout: Checkout) -> TimelineEntry:
    amount = "" if checkout.total is None else f"{checkout.total} {checkout.currency}".strip()
    title = "Checkout completed" if checkout.completed_at else "At the checkout"
    return TimelineEntry(checkout.active_at, "checkout", title, amount, reference=str(checkout.pk))


def _shipment_entry(shipment: Fulfilment) -> TimelineEntry:
    is_off = shipment.state == FulfilmentState.CANCELLED
    title, tone = ("Shipment cancelled", "warn") if is_off else ("Shipped", "info")
    detail = f"Order {shipment.order}"
    return TimelineEntry(shipment.shipped_at, "shipment", title, detail, tone, reference=str(shipment.pk))  # type: ignore[arg-type]


def _order_entry(order: Order) -> TimelineEntry:
    amount = f"{order.total} {order.currency}"
    titles: dict[str, tuple[str, Tone]] = {
        OrderState.PLACED: ("Ordered", "good"),
        OrderState.CANCELLED: ("Ordered, then cancelled", "warn"),
        OrderState.REFUNDED: ("Ordered, then refunded", "warn"),
    }
    title, tone = titles[order.state]
    return TimelineEntry(order.placed_at, "order", title, f"{order}: {amount}", tone, reference=str(order.pk))


def _consent_entry(change: ConsentChange) -> TimelineEntry:
    word = "allowed" if change.is_granted else "refused"
    tone: Tone = "good" if change.is_granted else "bad"
    return TimelineEntry(change.recorded_at, "consent", f"{change.get_topic_display()} {word}", change.source, tone)
