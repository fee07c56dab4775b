"""
What is deleted after its time, in all rooms: the one list that `manage.py prune` and the hourly task go through.

A room whose tables grow with the traffic has a `retention.py`; its `PRUNABLES` stand here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from signals_app.api import retention as api
from signals_app.core.pruning import Prunable, count_expired, prune
from signals_app.facts import retention as facts
from signals_app.remarketing import retention as remarketing
from signals_app.shops import retention as shops
from signals_app.webhooks import retention as webhooks


def _sessions(now: datetime) -> Iterable[QuerySet[Session]]:
    return [Session.objects.filter(expire_date__lt=now).order_by("expire_date")]


PRUNABLES = (
    *webhooks.PRUNABLES,
    *facts.PRUNABLES,
    *remarketing.PRUNABLES,
    *shops.PRUNABLES,
    *api.PRUNABLES,
    Prunable("sessions that ended", _sessions),
)


def prune_all(*, now: datetime, seconds: float) -> tuple[dict[str, int], bool]:
    """Delete what has been kept long enough, for at most some seconds; return how many of each, and whether it was all."""
    stop_at, counts, is_all = time.monotonic() + seconds, {}, True
    for prunable in PRUNABLES:
        counts[prunable.name], is_done = prune(prunable, now=now, stop_at=stop_at)
        is_all = is_all and is_done
    return counts, is_all


def count_all(*, now: datetime) -> dict[str, int]:
    """Count what `prune_all` would delete."""
    return {prunable.name: count_expired(prunable, now=now) for prunable in PRUNABLES}
