"""Who is who: profiles, known IDs, and what ties them to one another or keeps them apart."""

from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import PublicIdModel, TimestampedModel
from signals_app.customers.constants import (
    KINDS_BY_STRENGTH,
    MAX_IDENTIFIER_LENGTH,
    ConflictState,
    Evidence,
    IdentifierKind,
)
from signals_app.projects.models import Project, validate_time_zone


class LivingCustomers(models.Manager["Customer"]):
    """Every profile but those that are being erased: from the first moment of that nobody finds them any more."""

    def get_queryset(self) -> models.QuerySet[Customer]:
        return super().get_queryset().filter(erased_at=None)


LAST_SEEN_FIRST = (models.F("last_seen_at").desc(nulls_last=True), models.F("pk").desc())
"""As the index `customer_by_last_seen` has them on PostgreSQL; without NULLS LAST it would sort all profiles instead."""


class Customer(PublicIdModel, TimestampedModel):
    """
    A shopper: the set of identifiers tied to one another by edges.

    It holds only what can be rebuilt from its identifiers, so that an edge can be taken back.
    `email` to `time_zone` are copies of what its identifiers say, for lists and search; `marketing_consent` and
    `has_ordered` of what the rows say that point at these. Note [Copies], in `services.profile_copies`.
    """

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="customers", db_index=False)
    email = models.CharField(max_length=MAX_IDENTIFIER_LENGTH, blank=True)
    external_id = models.CharField("customer ID", max_length=MAX_IDENTIFIER_LENGTH, blank=True)
    name = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])
    last_seen_at = models.DateTimeField(null=True, blank=True)
    marketing_consent = models.BooleanField(null=True, editable=False)
    """What was said about marketing by e-mail; null: never asked. Where identifiers disagree, the no counts."""
    has_ordered = models.BooleanField(default=False, editable=False)
    """Whether there is an order that was not cancelled."""
    has_mixed_arms = models.BooleanField(default=False, editable=False)
    """True after a merge of a control-group with a mailed shopper: left out of results."""
    erased_at = models.DateTimeField(null=True, editable=False)
    """When the erasure began; the row, nameless by then, goes at its end."""

    objects = LivingCustomers()
    everyone = models.Manager["Customer"]()

    class Meta:
        verbose_name = "profile"
        # Migration 0005 adds, on PostgreSQL, indexes for the beginnings of names, and lets those never seen come last.
        indexes = (
            models.Index(fields=("project", "-last_seen_at", "-id"), name="customer_by_last_seen"),
            # Few refuse, and few of all visitors have bought: found without walking past everybody else, and only
            # their rows pay for it. Also with those never seen last.
            *(
                models.Index(fields=("project", "-last_seen_at", "-id"), name=name, condition=condition)
                for name, condition in (
                    ("customer_denied", models.Q(marketing_consent__is=False)),
                    ("customer_ordered", models.Q(has_ordered=True)),
                )
            ),
            # Also for the beginning of an address (the operator class is PostgreSQL's alone).
            models.Index(fields=("project", "email"), name="customer_by_email", opclasses=("", "varchar_pattern_ops")),
            models.Index(fields=("project", "external_id"), name="customer_by_external_id"),
            models.Index(fields=("project", "updated_at", "id"), name="customer_by_updated"),
        )

    def __str__(self) -> str:
        if self.erased_at:
            return "Erased person"
        return self.name or self.email or self.external_id or f"Visitor {str(self.id)[-6:]}"


STRENGTH = models.Case(*(models.When(kind=kind, then=place) for place, kind in enumerate(KINDS_BY_STRENGTH)))
"""The place of an identifier's kind, the strongest first."""


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

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    left = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="edges_right", db_index=False)
    right = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="edges_left")
    evidence = models.CharField(max_length=20, choices=Evidence.choices)
    reference = models.CharField(max_length=100, blank=True)
    """What showed it: the id of a signal or order, or the name of a person."""
    is_news = models.BooleanField(default=False, editable=False)
    """One of two IDs that both name a person was heard of for the first time here, and so was no second shopper."""
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "link"
        indexes = (models.Index(fields=("project", "evidence", "id"), name="identity_edge_by_evidence"),)
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
    """
    Two known shoppers seen as one: never joined by a machine, a person decides.

    Also what a person decided of two IDs without having been asked: a link that was undone is `KEPT_APART`, and as long
    as it is, no machine joins the profiles that these IDs belong to.
    """

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="identity_conflicts", db_index=False)
    left = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="+")
    right = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="+")
    evidence = models.CharField(max_length=20, choices=Evidence.choices)
    reference = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=20, choices=ConflictState.choices, default=ConflictState.OPEN)
    decided_by = models.CharField(max_length=150, blank=True)
    """The name of the person who decided; empty while nobody has."""
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "possible duplicate"
        indexes = (
            # Of the three states the open one is the last in the alphabet, and so first in a list.
            models.Index(fields=("project", "-state", "-created_at", "-id"), name="identity_conflict_by_state"),
        )
        constraints = (
            models.UniqueConstraint(fields=("left", "right"), name="identity_conflict_once"),
            models.CheckConstraint(condition=models.Q(left__lt=models.F("right")), name="identity_conflict_ordered"),
            models.CheckConstraint(
                condition=models.Q(state__in=ConflictState.values), name="identity_conflict_state_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.left} / {self.right}"


class MergedCustomer(models.Model):
    """
    The id of a customer that ended when it was joined to another; whoever has `identifier` now is where it went.

    An id that programs outside have noted therefore still leads to the shopper, and when the link that joined them is
    undone, each gets the id back that they had.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="merged_customers")
    kept_id = models.UUIDField()
    """The customer that took it over then; it may have ended since."""
    kept_identifier = models.ForeignKey(Identifier, on_delete=models.SET_NULL, null=True, related_name="+")
    """An ID that the other one was known by before."""
    merged_at = models.DateTimeField()

    class Meta:
        verbose_name = "former profile"

    def __str__(self) -> str:
        return f"Former profile {str(self.id)[-6:]}"


class LinkRemoval(models.Model):
    """A store's wish to undo all links of one kind, carried out in slices; finished when `finished_at` is set."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="link_removals")
    evidence = models.CharField(max_length=20, choices=Evidence.choices)
    up_to_id = models.BigIntegerField()
    """The newest link when it was wished; later ones stay."""
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    removed = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "removal of links"
        constraints = (
            models.UniqueConstraint(
                fields=("project", "evidence"),
                condition=models.Q(finished_at__isnull=True),
                name="link_removal_one_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_evidence_display()}: {self.removed} undone"
