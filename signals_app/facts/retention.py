"""How long it is kept what happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.facts.models import Fact, FailedFact


def _facts(now: datetime) -> Iterable[QuerySet[Fact]]:
    oldest = now - timedelta(days=settings.KEEP_FACTS_DAYS)
    # One without a position has not been seen by anybody, however old it is.
    return [Fact.objects.filter(recorded_at__lt=oldest, position__isnull=False).order_by("recorded_at")]


def _delete_facts(rows: QuerySet[Fact]) -> int:
    FailedFact.objects.filter(fact__in=rows).delete()
    return int(rows.order_by()._raw_delete(rows.db))


PRUNABLES = (
    Prunable(
        "facts", _facts, delete=_delete_facts, model=Fact, oldest="recorded_at", about="The list of what happened, by ids only",
        kept_for=lambda: days_in_words(settings.KEEP_FACTS_DAYS), setting="KEEP_FACTS_DAYS",
    ),
)  # fmt: skip
