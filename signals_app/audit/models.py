from __future__ import annotations

from django.conf import settings
from django.db import models

from signals_app.audit.constants import AuditAction
from signals_app.core.clock import Now
from signals_app.projects.models import Project


class AuditEntry(models.Model):
    """
    Somebody saw, exported or changed something: written once, never changed, deleted when its time is over.

    It names no shopper: rows about people stand here by their id, which means nothing once they are erased.
    """

    # Note [No second index], in `core.models`.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audit_entries", db_index=False)
    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor = models.CharField("who", max_length=150)
    """The team member's name for signing in, "key iac_..." of a program, or "command"."""
    action = models.CharField(max_length=10, choices=AuditAction.choices)
    model = models.CharField(max_length=100, blank=True)
    """Label of what it was done to, such as "customers.customer"."""
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    """What people named it; empty of everything about shoppers."""
    detail = models.CharField(max_length=300, blank=True)
    once_key = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - null: not unique
    """Of looking: a hash that is the same for a person, row and hour."""

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        constraints = (
            models.CheckConstraint(condition=models.Q(action__in=AuditAction.values), name="audit_entry_action_known"),
        )
        indexes = (
            models.Index(fields=("project", "-at", "-id"), name="audit_entry_by_time"),
            models.Index(fields=("project", "actor", "-at"), name="audit_entry_by_actor"),
            models.Index(fields=("project", "model", "object_id", "-at"), name="audit_entry_by_object"),
            models.Index(fields=("at",), name="audit_entry_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.actor}: {self.get_action_display()}"


class PruneRun(models.Model):
    """When one kind of rows was last looked through for those whose time is over, and how many were deleted."""

    name = models.CharField(max_length=60, primary_key=True)
    ran_at = models.DateTimeField()
    is_all = models.BooleanField(default=True)
    """False: more are left for the next time."""
    deleted = models.PositiveBigIntegerField(default=0)
    """The last time that there were any."""
    deleted_at = models.DateTimeField(null=True)
    deleted_in_all = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.deleted}"
