"""Wake-up calls: each looks for what is due, and is safe to run at any time, any number of times."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.shopper_signals import services

SECONDS_A_CALL = 30.0
"""What is left then waits for the next call, so that one task stays short."""


@shared_task
@in_turn()
def refresh_due_profiles(**kwargs: object) -> None:
    """Score or fold anew the profiles whose time has come, after orders, another half-life or a history that is new."""
    now, until = timezone.now(), time.monotonic() + SECONDS_A_CALL
    for step in services.PROFILE_STEPS:
        while time.monotonic() < until and step(now=now):
            pass


@shared_task
@in_turn()
def continue_recomputations(**kwargs: object) -> None:
    """Fold the next profiles anew for those who asked for it, for half a minute at most."""
    until = time.monotonic() + SECONDS_A_CALL
    while time.monotonic() < until and services.continue_recompute(now=timezone.now()):
        pass
