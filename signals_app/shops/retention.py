"""How long it is kept what the nights' comparisons found, and which walks there were."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.shops.constants import SyncState
from signals_app.shops.models import ShopConnection, ShopDifference, ShopSync


def _differences(now: datetime) -> Iterable[QuerySet[ShopDifference]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        ShopDifference.objects.filter(shop=shop, found_at__lt=oldest).order_by("found_at")
        for shop in ShopConnection.objects.order_by("pk")
    ]


def _syncs(now: datetime) -> Iterable[QuerySet[ShopSync]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        ShopSync.objects.filter(shop=shop, started_at__lt=oldest)
        .exclude(state=SyncState.RUNNING)
        .order_by("started_at")
        for shop in ShopConnection.objects.order_by("pk")
    ]


def _counts_kept_for() -> str:
    return days_in_words(settings.KEEP_COUNTS_DAYS)


PRUNABLES = (
    Prunable(
        "differences of shops", _differences, model=ShopDifference, oldest="found_at",
        about="What the nightly comparisons with the shop found", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
    Prunable(
        "walks through shops", _syncs, model=ShopSync, oldest="started_at",
        about="Backfills and comparisons that ended", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
