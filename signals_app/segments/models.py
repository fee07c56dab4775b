from __future__ import annotations

from django.db import models

from signals_app.core.models import PublicIdModel, TimestampedModel
from signals_app.projects.models import Project


class Segment(PublicIdModel, TimestampedModel):
    """A named audience: the profiles for which a tree of conditions holds now."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="segments")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    conditions = models.JSONField(default=dict, blank=True)
    """A condition tree over profile fields; `conditions.py` has the grammar. Empty holds for everyone."""
    profile_count = models.PositiveBigIntegerField(null=True, editable=False)
    """As counted at `counted_at`; null for a segment that was never counted or cannot be."""
    is_count_exact = models.BooleanField(default=True, editable=False)
    """False if counting took too long and the number is an estimate from a sample."""
    counted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="segment_name_once_per_project"),)
        indexes = (models.Index(fields=("counted_at",), name="segment_by_counted"),)

    def __str__(self) -> str:
        return self.name
