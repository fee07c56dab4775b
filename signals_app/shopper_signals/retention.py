"""How long daily averages are kept, and signals of nobody we know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.customers.retention import unseen_since
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import ShopBaseline, ShopperSignal


def _nameless(now: datetime) -> Iterable[QuerySet[ShopperSignal]]:
    """Find signals that name nobody: those of shoppers go with them."""
    since = unseen_since(now)
    if since is None:
        return []
    return [
        ShopperSignal.objects.filter(project=project, identifier=None, received_at__lt=since).order_by(
            "received_at", "id"
        )
        for project in Project.objects.order_by("pk")
    ]


def _baselines(now: datetime) -> Iterable[QuerySet[ShopBaseline]]:
    oldest = (now - timedelta(days=settings.KEEP_COUNTS_DAYS)).date()
    return [
        ShopBaseline.objects.filter(project=project, day__lt=oldest).order_by("day", "shard")
        for project in Project.objects.order_by("pk")
    ]


def _nameless_kept_for() -> str:
    months = settings.KEEP_UNSEEN_SHOPPERS_MONTHS
    return f"{months} months" if months else "for ever"


PRUNABLES = (
    Prunable(
        "signals that name nobody", _nameless, model=ShopperSignal, oldest="received_at",
        about="Signals that name no shopper", kept_for=_nameless_kept_for, setting="KEEP_UNSEEN_SHOPPERS_MONTHS",
    ),
    Prunable(
        "daily averages of stores", _baselines, model=ShopBaseline, oldest="day",
        about="Daily averages of the store", kept_for=lambda: days_in_words(settings.KEEP_COUNTS_DAYS),
        setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
