from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.catalog import services

FEEDS_A_CALL = 5
"""What is left then waits for the next call."""


@shared_task
def import_due_feeds(**kwargs: object) -> int:
    """Read the product feeds whose time has come, a few at most; return how many."""
    count = 0
    while count < FEEDS_A_CALL and services.import_due_feed(now=timezone.now()):
        count += 1
    return count
