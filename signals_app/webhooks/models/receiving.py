"""What comes in: sources and their secrets, deliveries, the inbox, repeats, refusals, replays."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.fields import EncryptedTextField
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.shops.models import ShopConnection
from signals_app.webhooks.constants import (
    DeliveryVerdict,
    InboxState,
    Mismatch,
    Problem,
    RejectionReason,
    ReplayScope,
    ReplayState,
    SignatureForm,
)
from signals_app.webhooks.validation import validate_identity_mapping, validate_urls

# Note [Constraints of what every request writes]
# A foreign key is checked for every row, by locking the row it points to, and of a source that is one row for all. A
# delivery keeps its constraint. What is only ever inserted together with a delivery of the same source, in the same
# transaction, is held by that: these keys have no constraint of their own. Nor has a key an index where another one
# begins with it, or where few rows are ever looked for by it.


class SourceQuerySet(models.QuerySet["WebhookSource"]):
    def of_insightarc(self) -> SourceQuerySet:
        """Leave out the shops, which post signals of another kind."""
        return self.filter(shop=None)


class WebhookSource(PublicIdModel, TimestampedModel):
    """One Insightarc project that posts to us, at one address of ours; or one shop."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhook_sources")
    shop = models.OneToOneField(
        ShopConnection, on_delete=models.CASCADE, null=True, blank=True, editable=False, related_name="webhook_source"
    )
    """The shop whose webhooks these are; None: signals of Insightarc."""
    name = models.CharField(max_length=100, default="Insightarc")
    registered_urls = models.JSONField("registered addresses", default=list, blank=True, validators=[validate_urls])
    """The addresses exactly as given to Insightarc: the signature covers the text, so no character may differ."""
    identity_mapping = models.JSONField(
        "where the identity stands", default=dict, blank=True, validators=[validate_identity_mapping]
    )
    """{"email": {"paths": ["user.email"], "jmespath": "", "query_parameter": "uid"}, ...}; a missing key means the defaults."""
    duplicate_window_seconds = models.PositiveIntegerField(
        default=600, help_text="The same bytes again within this time count as a repeat. 0: never."
    )
    signature_form = models.CharField(
        "what is signed",
        max_length=11,
        choices=SignatureForm.choices,
        default=SignatureForm.AS_SENT,
        db_default="AS_SENT",
    )
    is_paused = models.BooleanField("paused", default=False, help_text="Signals are kept and processed when you go on.")
    probed_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When Insightarc (or our own probe) last asked with HEAD."""

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = "Insightarc connection"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(signature_form__in=SignatureForm.values), name="webhook_source_form_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class SecretQuerySet(models.QuerySet["WebhookSecret"]):
    def valid(self, *, now: datetime) -> SecretQuerySet:
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now))


class WebhookSecret(models.Model):
    """The webhook secret of an Insightarc project; several are valid at once while one replaces another."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="secrets")
    secret = EncryptedTextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = SecretQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook secret"

    def __str__(self) -> str:
        return f"Secret of {self.source}"

    def is_valid(self, *, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now


class WebhookDelivery(PublicIdModel):
    """A signed request, byte for byte as it came; inserted before the answer, never changed."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    received_at = models.DateTimeField(db_default=Now())
    verdict = models.CharField(max_length=10, choices=DeliveryVerdict.choices)
    body = models.BinaryField()
    body_sha256 = models.BinaryField(max_length=32)
    content_type = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "incoming delivery"
        verbose_name_plural = "incoming log"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(verdict__in=DeliveryVerdict.values), name="delivery_verdict_known"
            ),
        )
        indexes = (models.Index(fields=("source", "-received_at", "-id"), name="delivery_by_received"),)

    def __str__(self) -> str:
        return str(self.id)


class ShopDelivery(models.Model):
    """What the headers of a shop's webhook said, beside its bytes; the shop's own number tells a repeat from a new one."""

    delivery = models.OneToOneField(
        WebhookDelivery, on_delete=models.CASCADE, primary_key=True, related_name="shop_delivery"
    )
    source = models.ForeignKey(
        WebhookSource, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    """See Note [Constraints of what every request writes]."""
    topic = models.CharField(max_length=100)
    webhook_id = models.CharField(max_length=100)
    event_id = models.CharField(max_length=100, blank=True)
    """The same for all webhooks of one event."""
    triggered_at = models.DateTimeField(null=True, blank=True)
    duplicate_count = models.PositiveIntegerField(default=0, db_default=0)
    identifier = models.ForeignKey(
        Identifier, on_delete=models.SET_NULL, null=True, blank=True, related_name="shop_deliveries"
    )
    """Whom it was about, once it was processed."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "webhook_id"), name="shop_delivery_once"),)

    def __str__(self) -> str:
        return self.topic


class InboxItem(ClaimedModel):
    """A delivery that is still to be processed; deleted when done, so the table stays as small as the backlog."""

    delivery = models.OneToOneField(
        WebhookDelivery, on_delete=models.CASCADE, primary_key=True, related_name="inbox_item"
    )
    source = models.ForeignKey(
        WebhookSource, on_delete=models.CASCADE, related_name="inbox_items", db_constraint=False, db_index=False
    )
    """See Note [Constraints of what every request writes]."""
    state = models.CharField(max_length=12, choices=InboxState.choices, default=InboxState.PENDING)
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=500, blank=True)
    replays = models.PositiveIntegerField(db_default=0, editable=False)
    """How often a person had it processed again since it came."""
    replayed_at = models.DateTimeField(null=True, blank=True, editable=False)
    set_aside_by = models.CharField(max_length=150, db_default="", blank=True, editable=False)
    set_aside_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "delivery that needs fixing"
        verbose_name_plural = "needs fixing"
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=InboxState.values), name="inbox_item_state_known"),
        )
        indexes = (
            models.Index(fields=("due_at",), name="inbox_item_due", condition=models.Q(state="PENDING")),
            models.Index(
                fields=("source", "state", "-delivery"),
                name="inbox_item_put_aside",
                condition=~models.Q(state="PENDING"),
            ),
        )

    def __str__(self) -> str:
        return str(self.delivery_id)


class SeenBody(models.Model):
    """The latest accepted delivery of one body, for recognising repeats."""

    source = models.ForeignKey(
        WebhookSource, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    """See Note [Constraints of what every request writes]."""
    body_sha256 = models.BinaryField(max_length=32)
    delivery_id = models.UUIDField()
    accepted_at = models.DateTimeField(db_default=Now())
    duplicate_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "body_sha256"), name="seen_body_once_per_source"),)
        indexes = (models.Index(fields=("accepted_at",), name="seen_body_by_accepted"),)

    def __str__(self) -> str:
        return str(self.delivery_id)


class SignatureFailure(models.Model):
    """A request that did not verify, put aside for diagnosis: a few per source, never trusted."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="signature_failures")
    reason = models.CharField(max_length=20, choices=RejectionReason.choices)
    received_at = models.DateTimeField(db_default=Now())
    body = models.BinaryField()
    signature = models.CharField(max_length=200, blank=True)
    requested_url = models.TextField(blank=True, default="", db_default="")
    """The address as the request named it, which whoever sent it could choose."""
    diagnosed_at = models.DateTimeField(null=True, blank=True)
    """When a worker took it to be diagnosed, which is done once."""
    diagnosis = models.CharField(max_length=20, choices=Mismatch.choices, blank=True, default="", db_default="")
    """The first of `differences`, or why there are none; empty until it is known."""
    differences = models.JSONField(default=list, blank=True, db_default=models.Value([], models.JSONField()))
    """Every `Mismatch` between this request and one that verifies."""
    signed_url = models.TextField(blank=True, default="", db_default="")
    """The address that was signed, by proof of the signature."""
    known_url = models.TextField(blank=True, default="", db_default="")
    """The address of ours that it was taken for."""

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(diagnosis__in=["", *Mismatch.values]), name="signature_failure_diagnosis_known"
            ),
        )
        indexes = (
            models.Index(fields=("source", "reason", "-received_at"), name="signature_failure_by_source"),
            models.Index(
                fields=("source",), name="signature_failure_undiagnosed", condition=models.Q(diagnosed_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.get_reason_display()


class ReplayRun(PublicIdModel, ClaimedModel):
    """
    Stored deliveries of one source that somebody has processed again, slice by slice: `running -> done | stopped`.

    The row is the whole state, and the place it has come to moves in the transaction that hands a slice over: a worker
    that is killed repeats nothing, and repeating would do no harm.
    """

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="replay_runs")
    scope = models.CharField(max_length=20, choices=ReplayScope.choices)
    problem = models.CharField(max_length=20, choices=Problem.choices, blank=True)
    """Only this group; blank: all."""
    error_text = models.CharField(max_length=200, blank=True)
    """Only those whose error has this text in it; blank: all."""
    received_from = models.DateTimeField(null=True, blank=True)
    received_until = models.DateTimeField()
    """At most the moment of the start, so that it ends."""
    state = models.CharField(max_length=10, choices=ReplayState.choices, default=ReplayState.RUNNING)
    expected = models.PositiveIntegerField()
    """How many it will be, counted to a limit when it was started."""
    handed_over = models.PositiveBigIntegerField(default=0)
    last_received_at = models.DateTimeField(null=True, blank=True)
    last_delivery_id = models.UUIDField(null=True, blank=True)
    """The place it has come to: everything up to here is handed over."""
    started_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "replay"
        constraints = (
            models.CheckConstraint(condition=models.Q(scope__in=ReplayScope.values), name="replay_run_scope_known"),
            models.CheckConstraint(condition=models.Q(state__in=ReplayState.values), name="replay_run_state_known"),
        )
        indexes = (
            models.Index(fields=("started_at",), name="replay_run_running", condition=models.Q(state="RUNNING")),
        )

    def __str__(self) -> str:
        return f"Replay of {self.get_scope_display().lower()}"
