from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.fields import EncryptedTextField
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.projects.models import Project
from signals_app.webhooks.constants import DeliveryVerdict, InboxState, Mismatch, RejectionReason, SignatureForm
from signals_app.webhooks.validation import validate_identity_mapping, validate_urls


class WebhookSource(PublicIdModel, TimestampedModel):
    """One Insightarc project that posts to us, at one address of ours."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhook_sources")
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

    class Meta:
        verbose_name = "Insightarc connection"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(signature_form__in=SignatureForm.values), name="webhook_source_form_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class WebhookSecret(models.Model):
    """The webhook secret of an Insightarc project; several are valid at once while one replaces another."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="secrets")
    secret = EncryptedTextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "webhook secret"

    def __str__(self) -> str:
        return f"Secret of {self.source}"


class WebhookDelivery(PublicIdModel):
    """A signed request, byte for byte as it came; inserted before the answer, never changed."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="deliveries")
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


class InboxItem(ClaimedModel):
    """A delivery that is still to be processed; deleted when done, so the table stays as small as the backlog."""

    delivery = models.OneToOneField(
        WebhookDelivery, on_delete=models.CASCADE, primary_key=True, related_name="inbox_item"
    )
    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="inbox_items")
    state = models.CharField(max_length=12, choices=InboxState.choices, default=InboxState.PENDING)
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "delivery that needs fixing"
        verbose_name_plural = "needs fixing"
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=InboxState.values), name="inbox_item_state_known"),
        )
        indexes = (models.Index(fields=("due_at",), name="inbox_item_due", condition=models.Q(state="PENDING")),)

    def __str__(self) -> str:
        return str(self.delivery_id)


class SeenBody(models.Model):
    """The latest accepted delivery of one body, for recognising repeats."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="+")
    body_sha256 = models.BinaryField(max_length=32)
    delivery_id = models.UUIDField()
    accepted_at = models.DateTimeField(db_default=Now())
    duplicate_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "body_sha256"), name="seen_body_once_per_source"),)

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


class HourlyCount(models.Model):
    """How many requests of a source ended how in an hour; a burst of forgeries costs one row."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="hourly_counts")
    hour = models.DateTimeField()
    outcome = models.CharField(max_length=20)
    """A `RejectionReason`, or DUPLICATE."""
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "hour", "outcome"), name="hourly_count_once"),)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.count}"
