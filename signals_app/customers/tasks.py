from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.customers import services

SECONDS_A_CALL = 30.0
"""What is left then waits for the next call, so that one task stays short."""


@shared_task
def continue_removals(**kwargs: object) -> int:
    """Take back links of a kind that a store wants undone, slice by slice, and return how many went."""
    now, until = timezone.now(), time.monotonic() + SECONDS_A_CALL
    count = 0
    while time.monotonic() < until and (done := services.continue_removals(now=now)):
        count += done
    return count
