"""Wake-up calls for the inbox; each looks for itself what there is to do."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.remarketing import tasks as remarketing_tasks
from signals_app.webhooks import pipeline, services

SECONDS_AT_A_TIME = 20


@shared_task
def process_inbox(**_: object) -> None:
    """Process what waits in the inbox, until it is empty or 20 seconds have passed; then pass on what became due."""
    services.release_parked(now=timezone.now())
    stop_at, next_due_at = time.monotonic() + SECONDS_AT_A_TIME, None
    while time.monotonic() < stop_at:
        report = pipeline.process_batch(now=timezone.now())
        next_due_at = min(filter(None, (next_due_at, report.next_due_at)), default=None)
        if not report.claimed:
            break
    if next_due_at is not None and next_due_at <= timezone.now():
        remarketing_tasks.queue_due_matches.delay()
