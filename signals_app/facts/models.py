from __future__ import annotations

from django.db import models

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project


class Fact(models.Model):
    """
    Something that happened to up to 1,000 subjects, written in the transaction that made it true.

    It says what and to whom, never how it was: readers look the subjects up. `position` is given after the
    commit by the one sequencer, without gaps, so a reader that has seen position N has seen all before it.
    """

    position = models.BigIntegerField(null=True, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40, choices=FactKind.choices)
    subject_ids = models.JSONField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(kind__in=FactKind.values), name="fact_kind_known"),)
        indexes = (
            models.Index(fields=("id",), name="fact_unsequenced", condition=models.Q(position__isnull=True)),
            models.Index(fields=("kind", "position"), name="fact_kind_position"),
            models.Index(fields=("recorded_at",), name="fact_by_recorded"),
        )

    def __str__(self) -> str:
        return f"{self.kind} ×{len(self.subject_ids)}"


class FactReader(models.Model):
    """How far one reader of the facts has come. The row named `sequencer` is the sequencer's own lock and counter."""

    name = models.CharField(max_length=60, primary_key=True)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.position}"


class FailedFact(ClaimedModel):
    """
    A fact that a reader could not handle for some of its subjects: tried again at `due_at`, or given up without one.

    It goes when the trouble is over, or with the fact.
    """

    reader = models.CharField(max_length=60)
    fact = models.ForeignKey(Fact, on_delete=models.CASCADE, related_name="+", db_index=False)
    subject_ids = models.JSONField()
    """Those that are left to be handled."""
    due_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100)
    """The class of the last exception; what an exception says may quote a shopper's data."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("fact", "reader"), name="failed_fact_once_per_reader"),)
        indexes = (
            models.Index(fields=("reader", "due_at"), name="failed_fact_due", condition=models.Q(due_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.error} of {self.reader}"
