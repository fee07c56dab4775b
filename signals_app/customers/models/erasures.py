"""Who was erased: enough to keep them out and to prove it, without saying who they were."""

from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.fields import EncryptedTextField
from signals_app.core.models import ClaimedModel, PublicIdModel
from signals_app.customers.constants import ErasureState
from signals_app.projects.models import Project


class ErasureTombstone(models.Model):
    """A keyed hash of an erased identifier, so that replays and imports do not bring the person back."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    identifier_hash = models.CharField(max_length=64)
    erasure_id = models.UUIDField(null=True, editable=False)
    """What was erased together comes back together, when the person agrees again under one of the identifiers."""
    erased_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "identifier_hash"), name="erasure_tombstone_once"),)
        indexes = (models.Index(fields=("erasure_id",), name="erasure_tombstone_by_erasure"),)

    def __str__(self) -> str:
        return self.identifier_hash[:12]


class ErasureReport(PublicIdModel, ClaimedModel):
    """
    The erasure of one person, `running -> done`: first the work to do, then the proof of it, without personal data.

    What each slice did is written in the transaction that did it, so a worker that is killed repeats and loses nothing.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="erasure_reports")
    profile_id = models.UUIDField("profile ID", unique=True, editable=False)
    """The id that the profile had: random, and of nothing any more."""
    state = models.CharField(max_length=10, choices=ErasureState.choices, default=ErasureState.RUNNING)
    requested_by = models.CharField(max_length=150, blank=True)
    """Who asked for it: a team member, a key, a command or another program; never the person."""
    is_forgetting = models.BooleanField(default=False, editable=False)
    """Their time is over and nobody asked: they may come back any time, and the report goes with them."""
    begun_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    known_ids = EncryptedTextField(blank=True, default="")
    """[[kind, value], ...] while it runs, to find what names the person; empty when it is done."""
    progress = models.JSONField(default=dict)
    """{"webhooks: Raw requests": {"count": 3, "place": "", "is_done": true}, ...}"""
    results = models.JSONField(default=list)
    """[{"room", "what", "outcome", "count", "why"}, ...] when it is done."""

    class Meta:
        verbose_name = "erasure"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=ErasureState.values), name="erasure_report_state_known"
            ),
        )
        indexes = (
            models.Index(fields=("begun_at",), name="erasure_report_running", condition=models.Q(state="RUNNING")),
            models.Index(fields=("project", "-begun_at"), name="erasure_report_by_begun"),
        )

    def __str__(self) -> str:
        return f"Erasure {str(self.pk)[-6:]}"
