"""How long what came in is kept: deliveries, what is remembered of their bodies, and hourly counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import (
    ConnectionAlert,
    HourlyCount,
    HourlyCoverage,
    InboxItem,
    ReplayRun,
    SeenBody,
    ShopDelivery,
    WebhookDelivery,
    WebhookSource,
)


def _deliveries(now: datetime) -> Iterable[QuerySet[WebhookDelivery]]:
    if not settings.KEEP_DELIVERIES_DAYS:
        return []
    oldest = now - timedelta(days=settings.KEEP_DELIVERIES_DAYS)
    return [
        WebhookDelivery.objects.filter(~_is_in_use(), source=source, received_at__lt=oldest).order_by(
            "received_at", "id"
        )
        for source in WebhookSource.objects.order_by("pk")
    ]


def _is_in_use() -> Exists:
    """What waits, or needs fixing, is kept however old it is."""
    return Exists(InboxItem.objects.filter(delivery=OuterRef("pk")).exclude(state=InboxState.SET_ASIDE))


def _delete_deliveries(rows: QuerySet[WebhookDelivery]) -> int:
    """Delete raw deliveries; the signals that they became stay, and so do those that somebody replays meanwhile."""
    # The rows are locked by now, so a replay that came first shows here, and one that comes later finds none.
    pks = list(rows.filter(~_is_in_use()).values_list("pk", flat=True))
    InboxItem.objects.filter(pk__in=pks, state=InboxState.SET_ASIDE).delete()
    ShopDelivery.objects.filter(pk__in=pks)._raw_delete(rows.db)
    return int(WebhookDelivery.objects.filter(pk__in=pks)._raw_delete(rows.db))


def _seen_bodies(now: datetime) -> Iterable[QuerySet[SeenBody]]:
    """Forget bodies when nothing can repeat them any more; longer than that, they only count repeats in the log."""
    longest = WebhookSource.objects.order_by("-duplicate_window_seconds").values_list(
        "duplicate_window_seconds", flat=True
    )
    window = timedelta(seconds=longest.first() or 0)
    oldest = now - max(window + timedelta(days=1), timedelta(days=settings.KEEP_SEEN_BODIES_DAYS))
    return [SeenBody.objects.filter(accepted_at__lt=oldest).order_by("accepted_at")]


def _hourly_counts(now: datetime) -> Iterable[QuerySet[HourlyCount]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        HourlyCount.objects.filter(source=source, hour__lt=oldest).order_by("hour", "outcome")
        for source in WebhookSource.objects.order_by("pk")
    ]


def _hourly_coverage(now: datetime) -> Iterable[QuerySet[HourlyCoverage]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        HourlyCoverage.objects.filter(source=source, hour__lt=oldest).order_by("hour")
        for source in WebhookSource.objects.order_by("pk")
    ]


def _replays(now: datetime) -> Iterable[QuerySet[ReplayRun]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [ReplayRun.objects.filter(finished_at__lt=oldest).order_by("pk")]


def _alerts(now: datetime) -> Iterable[QuerySet[ConnectionAlert]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [ConnectionAlert.objects.filter(resolved_at__lt=oldest).order_by("pk")]


def _counts_kept_for() -> str:
    return days_in_words(settings.KEEP_COUNTS_DAYS)


PRUNABLES = (
    Prunable(
        "deliveries", _deliveries, _delete_deliveries, model=WebhookDelivery, oldest="received_at",
        about="Raw requests, word for word; their signals stay",
        kept_for=lambda: days_in_words(settings.KEEP_DELIVERIES_DAYS), setting="KEEP_DELIVERIES_DAYS",
    ),
    Prunable(
        "remembered bodies", _seen_bodies, model=SeenBody, oldest="accepted_at",
        about="Fingerprints of requests, to know repeats by",
        kept_for=lambda: days_in_words(settings.KEEP_SEEN_BODIES_DAYS), setting="KEEP_SEEN_BODIES_DAYS",
    ),
    Prunable(
        "hourly counts of requests", _hourly_counts, model=HourlyCount, oldest="hour",
        about="Hourly counts of requests", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
    Prunable(
        "hourly counts of whom signals name", _hourly_coverage, model=HourlyCoverage, oldest="hour",
        about="Hourly counts of whom signals name", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
    Prunable(
        "replays that ended", _replays, model=ReplayRun, oldest="finished_at",
        about="Replays that ended", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
    Prunable(
        "alerts that are over", _alerts, model=ConnectionAlert, oldest="resolved_at",
        about="Alerts about connections that are over", kept_for=_counts_kept_for, setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
