"""The watch over connections: what came by the hour, whom it named, how addresses answer, and what is wrong."""

from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel
from signals_app.webhooks.constants import AlertKind, ProbeOutcome
from signals_app.webhooks.models.receiving import WebhookSource


class HourlyCount(models.Model):
    """How many requests of a source ended how in an hour; a burst of forgeries costs one row."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="hourly_counts")
    hour = models.DateTimeField()
    outcome = models.CharField(max_length=20)
    """A `RejectionReason`, DUPLICATE, or RECEIVED: whatever was signed, counted when its hour is over."""
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "hour", "outcome"), name="hourly_count_once"),)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.count}"


class HourlyCoverage(models.Model):
    """
    Whom the signals of a source named in an hour, as it was known minutes after they came; never counted again.

    `signals` are all; the other counts are of the `sampled`, which in most shops are all too.
    """

    # Note [No second index], in `core.models`.
    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="hourly_coverage", db_index=False)
    hour = models.DateTimeField()
    signals = models.PositiveBigIntegerField(default=0)
    sampled = models.PositiveBigIntegerField(default=0)
    identified = models.PositiveBigIntegerField(default=0)
    """Some ID was usable."""
    with_email = models.PositiveBigIntegerField(default=0)
    """The shopper's address was known, by whatever way."""
    with_consent = models.PositiveBigIntegerField(default=0)
    """... and the shopper had agreed to marketing by e-mail."""
    external_id = models.PositiveBigIntegerField(default=0)
    """Carried one themselves; likewise the three that follow."""
    email = models.PositiveBigIntegerField(default=0)
    anonymous_id = models.PositiveBigIntegerField(default=0)
    session_id = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source", "hour"), name="hourly_coverage_once"),)

    def __str__(self) -> str:
        return f"{self.hour}: {self.signals}"


class CoverageCursor(models.Model):
    """How far the deliveries of a source have been counted for its coverage: everything up to here."""

    source = models.OneToOneField(
        WebhookSource, on_delete=models.CASCADE, primary_key=True, related_name="coverage_cursor"
    )
    received_at = models.DateTimeField()
    delivery_id = models.UUIDField()

    def __str__(self) -> str:
        return str(self.received_at)


class AddressProbe(ClaimedModel):
    """When we last asked a registered address as Insightarc does, what came of it, and when to ask again."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="probes")
    url = models.CharField("address", max_length=2_000)
    url_sha256 = models.BinaryField(max_length=32)
    """Addresses may be longer than an index takes."""
    due_at = models.DateTimeField(db_default=Now())
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    """When it last answered as it should."""
    outcome = models.CharField(max_length=20, choices=ProbeOutcome.choices, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failure_count = models.PositiveIntegerField(default=0)
    """Failures in a row."""
    certificate_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("source", "url_sha256"), name="address_probe_once"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["", *ProbeOutcome.values]), name="address_probe_outcome_known"
            ),
        )

    def __str__(self) -> str:
        return self.url


class ConnectionAlert(ClaimedModel):
    """Something about a connection that a person should know now; claimed by whoever mails it."""

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=20, choices=AlertKind.choices)
    detail = models.CharField(max_length=500)
    """One or two sentences for a person, without names of shoppers."""
    is_urgent = models.BooleanField(default=True)
    opened_at = models.DateTimeField()
    notified_at = models.DateTimeField(null=True, blank=True)
    """When the team was mailed that it is open; None again when it becomes urgent."""
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution_notified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("source", "kind"), condition=models.Q(resolved_at=None), name="connection_alert_open_once"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=AlertKind.values), name="connection_alert_kind_known"),
        )

    def __str__(self) -> str:
        return self.get_kind_display()
