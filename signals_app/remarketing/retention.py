"""How long the counters of decisions are kept; recipient activity itself is not deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.remarketing.models import RemarketingRule, RuleCounter


def _counters(now: datetime) -> Iterable[QuerySet[RuleCounter]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        RuleCounter.objects.filter(rule=rule, hour__lt=oldest).order_by("rule_version", "reason", "hour")
        for rule in RemarketingRule.objects.order_by("pk").only("pk")
    ]


PRUNABLES = (
    Prunable(
        "counters of decisions", _counters, model=RuleCounter, oldest="hour", about="Counts of reasons, by hour",
        kept_for=lambda: days_in_words(settings.KEEP_COUNTS_DAYS), setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
