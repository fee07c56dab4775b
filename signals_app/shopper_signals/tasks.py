from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.shopper_signals import services

MAX_ROUNDS = 10
"""Batches of one wake-up; what is left then waits for the next, so that one task stays short."""


@shared_task
def refresh_due_profiles(**kwargs: object) -> int:
    """Score the profiles again whose time has come, whose shopper has ordered, or whose half-life has changed."""
    now = timezone.now()
    count = services.follow_orders(now=now)
    for _ in range(MAX_ROUNDS):
        refreshed = services.refresh_due_profiles(now=now)
        count += refreshed
        if not refreshed:
            break
    return count + services.refold_outdated(now=now)
