"""Wake-up calls: each looks for its due rows and is safe to run at any time, any number of times."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.segments import services
from signals_app.segments.services.counts import AT_REST_SECONDS

A_RUN_SECONDS = 20.0
A_RUN_SEGMENTS = 50


@shared_task
@in_turn()
def refresh_counts(**kwargs: object) -> None:
    """Count the segments whose number is old, for as long as one run may take; the others wait for the next."""
    until = time.monotonic() + A_RUN_SECONDS
    for segment_id in services.due_segments(now=timezone.now(), limit=A_RUN_SEGMENTS):
        if time.monotonic() > until:
            break
        services.count_segment(segment_id=segment_id, now=timezone.now(), seconds=AT_REST_SECONDS)
