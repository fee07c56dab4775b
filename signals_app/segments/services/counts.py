"""How many profiles a segment has, as kept for lists, and which segments are due to be counted again."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q

from signals_app.core.time_limit import TookTooLong, time_limit
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.models import Segment
from signals_app.segments.services.audiences import COUNT_SECONDS, estimate_count, segment_customers

COUNTED_EVERY = timedelta(minutes=15)
AT_REST_SECONDS = 5.0
"""What counting one segment may take when nobody waits for it."""


def due_segments(*, now: datetime, limit: int) -> list[UUID]:
    """Return the segments not counted for `COUNTED_EVERY`, the longest waiting first."""
    due = Segment.objects.filter(Q(counted_at__isnull=True) | Q(counted_at__lte=now - COUNTED_EVERY))
    return list(due.order_by(F("counted_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)[:limit])


def count_segment(*, segment_id: UUID, now: datetime, seconds: float = COUNT_SECONDS) -> Segment | None:
    """
    Count a segment and keep the number; what takes longer than `seconds` is estimated from a sample.

    A segment that cannot be read, because a field is gone, has no number. Returns None if the segment is gone.
    """
    segment = Segment.objects.filter(pk=segment_id).select_related("project").first()
    if segment is None:
        return None
    segment.profile_count, segment.is_count_exact = _count(segment, now, seconds)
    segment.counted_at = now
    # Not for a segment that somebody changed meanwhile: the number would be of other conditions.
    Segment.objects.filter(pk=segment_id, updated_at=segment.updated_at).update(
        profile_count=segment.profile_count, is_count_exact=segment.is_count_exact, counted_at=now
    )
    return segment


def _count(segment: Segment, now: datetime, seconds: float) -> tuple[int | None, bool]:
    try:
        try:
            with time_limit(seconds):
                return segment_customers(segment=segment, now=now).count(), True
        except TookTooLong:
            return estimate_count(project=segment.project, tree=segment.conditions, now=now), False
    except InvalidCondition:
        return None, True
    except TookTooLong:
        return segment.profile_count, False
