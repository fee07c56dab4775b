from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.shopper_signals import services

SECONDS_A_CALL = 30.0
"""What is left then waits for the next call, so that one task stays short."""


@shared_task
def refresh_due_profiles(**kwargs: object) -> int:
    """Score the profiles again whose time has come, whose shopper has ordered, whose half-life has changed, or whose history is new."""
    now, until = timezone.now(), time.monotonic() + SECONDS_A_CALL
    count = 0
    for step in services.PROFILE_STEPS:
        while time.monotonic() < until and (done := step(now=now)):
            count += done
    return count


@shared_task
def continue_recomputations(**kwargs: object) -> int:
    """Fold the next profiles anew for those who asked for it, for half a minute at most; return how many slices."""
    until, count = time.monotonic() + SECONDS_A_CALL, 0
    while time.monotonic() < until and services.continue_recompute(now=timezone.now()):
        count += 1
    return count
