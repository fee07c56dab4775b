from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import PublicIdModel, TimestampedModel
from signals_app.customers.constants import (
    MAX_IDENTIFIER_LENGTH,
    Channel,
    ConflictState,
    Evidence,
    FulfilmentState,
    IdentifierKind,
    OrderState,
    Topic,
)
from signals_app.projects.models import Project, validate_time_zone


class Customer(PublicIdModel, TimestampedModel):
    """
    A shopper: the set of identifiers tied to one another by edges.

    It holds only what can be rebuilt from its identifiers, so that an edge can be taken back.
    `email`, `external_id`, `attributes` and `time_zone` are copies of what its identifiers say, for lists and search.
    """

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="customers", db_index=False)
    email = models.CharField(max_length=MAX_IDENTIFIER_LENGTH, blank=True)
    external_id = models.CharField("customer ID", max_length=MAX_IDENTIFIER_LENGTH, blank=True)
    name = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])
    last_seen_at = models.DateTimeField(null=True, blank=True)
    has_mixed_arms = models.BooleanField(default=False, editable=False)
    """True after a merge of a control-group with a mailed shopper: left out of results."""

    class Meta:
        verbose_name = "profile"
        indexes = (
            models.Index(fields=("project", "-last_seen_at", "-id"), name="customer_by_last_seen"),
            models.Index(fields=("project", "email"), name="customer_by_email"),
            models.Index(fields=("project", "external_id"), name="customer_by_external_id"),
            models.Index(fields=("project", "updated_at", "id"), name="customer_by_updated"),
        )

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or f"Visitor {str(self.id)[-6:]}"


class Identifier(models.Model):
    """One ID a shopper is known by; signals, orders, consents and messages point here and are never rewritten."""

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identifiers")
    kind = models.CharField(max_length=20, choices=IdentifierKind.choices)
    value = models.CharField(max_length=MAX_IDENTIFIER_LENGTH)
    attributes = models.JSONField(default=dict, blank=True)
    """What was said about this identifier: {"first_name", "last_name", "time_zone", ...}."""
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "known ID"
        verbose_name_plural = "known IDs"
        constraints = (
            models.UniqueConstraint(fields=("project", "kind", "value"), name="identifier_once_per_project"),
            models.CheckConstraint(condition=models.Q(kind__in=IdentifierKind.values), name="identifier_kind_known"),
            models.CheckConstraint(condition=~models.Q(value=""), name="identifier_value_not_empty"),
        )

    def __str__(self) -> str:
        return self.value


class IdentityEdge(models.Model):
    """Evidence that two identifiers are one person's; deleting it undoes the link. `left_id` < `right_id`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    # Note [No second index], in `core.models`.
    left = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="edges_right", db_index=False)
    right = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="edges_left")
    evidence = models.CharField(max_length=20, choices=Evidence.choices)
    reference = models.CharField(max_length=100, blank=True)
    """What showed it: the id of a signal or order, or the name of a person."""
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "link"
        constraints = (
            models.UniqueConstraint(fields=("left", "right"), name="identity_edge_once"),
            models.CheckConstraint(condition=models.Q(left__lt=models.F("right")), name="identity_edge_ordered"),
            models.CheckConstraint(
                condition=models.Q(evidence__in=Evidence.values), name="identity_edge_evidence_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.left} – {self.right}"


class IdentityConflict(models.Model):
    """Two known shoppers seen as one: never joined by a machine, a person decides."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="identity_conflicts")
    left = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="+")
    right = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="+")
    evidence = models.CharField(max_length=20, choices=Evidence.choices)
    reference = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=20, choices=ConflictState.choices, default=ConflictState.OPEN)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "possible duplicate"
        constraints = (
            models.UniqueConstraint(fields=("left", "right"), name="identity_conflict_once"),
            models.CheckConstraint(condition=models.Q(left__lt=models.F("right")), name="identity_conflict_ordered"),
            models.CheckConstraint(
                condition=models.Q(state__in=ConflictState.values), name="identity_conflict_state_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.left} / {self.right}"


class Consent(models.Model):
    """What an identifier's person last said about one purpose of one channel."""

    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    topic = models.CharField(max_length=20, choices=Topic.choices, default=Topic.MARKETING)
    is_granted = models.BooleanField()
    source = models.CharField(max_length=100)
    wording = models.TextField(blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("identifier", "channel", "topic"), name="consent_once_per_purpose"),
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="consent_channel_known"),
            models.CheckConstraint(condition=models.Q(topic__in=Topic.values), name="consent_topic_known"),
        )

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {'granted' if self.is_granted else 'denied'}"


class ConsentChange(models.Model):
    """The history behind `Consent`: one row per thing said, never changed."""

    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="consent_changes")
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    topic = models.CharField(max_length=20, choices=Topic.choices, default=Topic.MARKETING)
    is_granted = models.BooleanField()
    source = models.CharField(max_length=100)
    wording = models.TextField(blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=("identifier", "-recorded_at"), name="consent_change_by_identifier"),)

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {'granted' if self.is_granted else 'denied'}"


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


class ErasureTombstone(models.Model):
    """A keyed hash of an erased identifier, so that replays and imports do not bring the person back."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    identifier_hash = models.CharField(max_length=64)
    erased_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "identifier_hash"), name="erasure_tombstone_once"),)

    def __str__(self) -> str:
        return self.identifier_hash[:12]
