"""Wake-up calls: each looks for its due rows and is safe to run at any time, any number of times."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.core.turns import in_turn, wake
from signals_app.emails import tasks as email_tasks
from signals_app.remarketing import services

SECONDS_A_CALL = 30.0
"""What is left then waits for the next call, so that one task stays short."""


@shared_task
@in_turn()
def queue_due_matches(**kwargs: object) -> None:
    """Decide what is due, also when all of a night's matches are due at once, and wake the mail room for what may go."""
    until = time.monotonic() + SECONDS_A_CALL
    while time.monotonic() < until:
        report = services.queue_due_matches(now=timezone.now())
        if report.queued:
            wake(email_tasks.send_due)
        if not report.claimed:
            break


@shared_task
@in_turn()
def follow_facts(**kwargs: object) -> None:
    """Read on in the facts: orders let go of what waits, and start what begins with them."""
    until = time.monotonic() + SECONDS_A_CALL
    while time.monotonic() < until and services.follow_facts(now=timezone.now()):
        continue


@shared_task
def gather_calibration(**kwargs: object) -> int:
    """Count what was predicted and what happened, for the weeks that are over; return how many slices were gathered."""
    until, count = time.monotonic() + SECONDS_A_CALL, 0
    services.plan_calibration(now=timezone.now())
    while time.monotonic() < until and services.gather_calibration(now=timezone.now()):
        count += 1
    return count
