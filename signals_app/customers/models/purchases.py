"""What people bought, got sent, and left in the till."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from signals_app.core.countries import COUNTRIES
from signals_app.core.models import PublicIdModel, TimestampedModel
from signals_app.customers.constants import FulfilmentState, OrderState
from signals_app.customers.models.people import Identifier
from signals_app.projects.models import Project


def validate_country(value: str) -> None:
    if value not in COUNTRIES:
        raise ValidationError(
            "“%(value)s” is not a country's code of two letters, such as DE.", params={"value": value}
        )


class Order(PublicIdModel, TimestampedModel):
    """A purchase in the shop; `order_id` is the shop's own number."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="orders")
    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="orders")
    order_id = models.CharField("order number", max_length=100)
    name = models.CharField("number on the receipt", max_length=100, blank=True, db_default="")
    """What the shopper knows it by, such as "#1001", where the shop has another number for itself."""
    state = models.CharField(max_length=20, choices=OrderState.choices, default=OrderState.PLACED)
    total = models.DecimalField(max_digits=14, decimal_places=2)
    refunded_total = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True, default="", db_default="", validators=[validate_country])
    """Where it was bought for, in two letters; the soft opt-in of some countries follows from it."""
    items = models.JSONField(default=list, blank=True)
    """[{"sku": str, "title": str, "quantity": int, "price": "19.90"}]; every key is optional."""
    placed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "order_id"), name="order_once_per_project"),
            models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total_not_negative"),
            models.CheckConstraint(condition=models.Q(state__in=OrderState.values), name="order_state_known"),
        )
        indexes = (
            models.Index(fields=("identifier", "-placed_at"), name="order_by_identifier"),
            models.Index(fields=("project", "-placed_at"), name="order_by_placed"),
        )

    def __str__(self) -> str:
        return self.name or self.order_id


class Fulfilment(PublicIdModel, TimestampedModel):
    """Goods of an order that were handed to a carrier; `fulfilment_id` is the shop's own number."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="fulfilments", db_index=False)
    fulfilment_id = models.CharField("shipment number", max_length=100)
    state = models.CharField(max_length=20, choices=FulfilmentState.choices, default=FulfilmentState.SHIPPED)
    shipped_at = models.DateTimeField()
    tracking_url = models.CharField("where it is", max_length=500, blank=True)

    class Meta:
        verbose_name = "shipment"
        constraints = (
            models.UniqueConstraint(fields=("order", "fulfilment_id"), name="fulfilment_once_per_order"),
            models.CheckConstraint(condition=models.Q(state__in=FulfilmentState.values), name="fulfilment_state_known"),
        )

    def __str__(self) -> str:
        return self.fulfilment_id


class Checkout(PublicIdModel, TimestampedModel):
    """A shopper at the till: begun, moved on with, and, if it came to that, completed by an order."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="checkouts", db_index=False)
    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="checkouts", db_index=False)
    checkout_id = models.CharField("checkout number", max_length=100)
    total = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    started_at = models.DateTimeField()
    active_at = models.DateTimeField()
    """When the shopper last moved in it."""
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "checkout_id"), name="checkout_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(total__gte=0) | models.Q(total__isnull=True), name="checkout_total_not_negative"
            ),
        )
        indexes = (models.Index(fields=("identifier", "-active_at"), name="checkout_by_identifier"),)

    def __str__(self) -> str:
        return self.checkout_id
