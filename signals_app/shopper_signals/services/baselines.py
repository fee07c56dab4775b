"""What is usual in a shop, stored by day."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from signals_app.projects.models import Project
from signals_app.shopper_signals.baseline import Baseline
from signals_app.shopper_signals.constants import BASELINE_DAYS
from signals_app.shopper_signals.models import ShopBaseline
from signals_app.shopper_signals.scoring import Usual

SHARDS = 8
COUNTS = tuple(one.name for one in fields(Baseline) if not one.name.startswith("_"))


def recent_baseline(*, project: Project, now: datetime, unsaved: Mapping[date, Baseline] | None = None) -> Baseline:
    """Return what the shop's signals of the last 7 days, today and those still `unsaved` included, looked like."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=BASELINE_DAYS - 1)
    total = Baseline()
    for row in ShopBaseline.objects.filter(project=project, day__gte=first, day__lte=today).values(*COUNTS):
        total.add(Baseline(**row))
    for day, counts in (unsaved or {}).items():
        if first <= day <= today:
            total.add(counts)
    return total


def usual_of(baseline: Baseline) -> Usual:
    return Usual(
        loops=baseline.usual_loops,
        broken_buttons=baseline.usual_broken_buttons,
        performance=baseline.median_performance,
        percentile=baseline.percentile,
    )


def add_to_days(*, project: Project, days: Mapping[date, Baseline]) -> None:
    """
    Add counts to the days they belong to, in the caller's transaction.

    Each call takes one shard of each day, so that workers of one shop rarely wait for one another; days are taken in
    order, so that they never wait in a circle.
    """
    shard = random.randrange(SHARDS)  # noqa: S311 - it spreads load, nobody gains by guessing it
    with transaction.atomic():
        for day in sorted(days):
            ShopBaseline.objects.get_or_create(project=project, day=day, shard=shard)
            row = ShopBaseline.objects.select_for_update(no_key=True).get(project=project, day=day, shard=shard)
            counts = Baseline(**{name: getattr(row, name) for name in COUNTS})
            counts.add(days[day])
            for name in COUNTS:
                setattr(row, name, getattr(counts, name))
            row.save(update_fields=COUNTS)
