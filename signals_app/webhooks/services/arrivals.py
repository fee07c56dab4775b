"""How many signed requests came in each hour, and when the last one came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncHour

from signals_app.webhooks import inbox, silence
from signals_app.webhooks.models import HourlyCount, WebhookDelivery, WebhookSource

SETTLES = timedelta(minutes=1)
"""A request gets its time before its commit, and waits for that a few seconds at most."""
HOURS_AT_ONCE = silence.HOURS_A_WEEK


def count_arrivals(*, now: datetime) -> int:
    """
    Count the deliveries of every hour that is over and not yet counted, and return how many hours that were.

    Each hour is counted once, from the index by source and time, and an hour without any is written down too: it is
    what a baseline needs to know. Safe to run twice at once: both count the same.
    """
    return sum(_count(source, now) for source in WebhookSource.objects.all())


def _count(source: WebhookSource, now: datetime) -> int:
    counted = HourlyCount.objects.filter(source=source, outcome=inbox.RECEIVED).order_by("-hour").first()
    start = counted.hour + silence.HOUR if counted else _first_arrival(source, now)
    if start is None:
        return 0
    hours = list(silence.whole_hours(start, now - SETTLES))[:HOURS_AT_ONCE]
    if not hours:
        return 0
    came = WebhookDelivery.objects.filter(
        source=source, received_at__gte=hours[0], received_at__lt=hours[-1] + silence.HOUR
    )
    by_hour = came.annotate(hour=TruncHour("received_at", tzinfo=UTC)).values_list("hour").order_by()
    counts = dict(by_hour.annotate(count=Count("pk")))
    HourlyCount.objects.bulk_create(
        [HourlyCount(source=source, hour=hour, outcome=inbox.RECEIVED, count=counts.get(hour, 0)) for hour in hours],
        ignore_conflicts=True,
    )
    return len(hours)


def _first_arrival(source: WebhookSource, now: datetime) -> datetime | None:
    oldest = now - timedelta(weeks=silence.WEEKS)
    came = WebhookDelivery.objects.filter(source=source).order_by("received_at", "id")
    first = came.values_list("received_at", flat=True).first()
    return max(first, oldest) if first else None


def hourly_arrivals(source: WebhookSource, *, now: datetime) -> dict[datetime, int]:
    """Return how many signed requests came in each counted hour of the last weeks."""
    since = now - timedelta(weeks=silence.WEEKS)
    counts = HourlyCount.objects.filter(source=source, outcome=inbox.RECEIVED, hour__gte=since, hour__lt=now)
    return dict(counts.values_list("hour", "count"))


def last_arrival(source: WebhookSource) -> datetime | None:
    """Return when a source last sent something signed; of a repeat only the hour is known."""
    came = WebhookDelivery.objects.filter(source=source).order_by("-received_at", "-id")
    repeats = HourlyCount.objects.filter(source=source, outcome=inbox.DUPLICATE).order_by("-hour")
    times = (came.values_list("received_at", flat=True).first(), repeats.values_list("hour", flat=True).first())
    return max(filter(None, times), default=None)
