from __future__ import annotations

from django.db import models

from signals_app.projects.models import Project


class IdempotentRequest(models.Model):
    """A write that was done under an `Idempotency-Key`, and its answer: asked again, it is answered and not done."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(default=0)
    response = models.TextField(default="{}")
    """The answer's JSON as text: a repeat is answered letter by letter, and jsonb keeps no order of keys."""
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "key"), name="idempotent_request_once_per_key"),)

    def __str__(self) -> str:
        return self.key
