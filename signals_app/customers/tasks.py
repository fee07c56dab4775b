"""Wake-up calls for what is to be done about profiles; each looks for itself what there is to do."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.customers import services

SECONDS_AT_A_TIME = 20.0
"""What is left then waits for the next call, so that one task stays short."""


@shared_task
@in_turn()
def continue_removals(**_: object) -> None:
    """Take back links of a kind that a store wants undone, slice by slice."""
    now, until = timezone.now(), time.monotonic() + SECONDS_AT_A_TIME
    while time.monotonic() < until and services.continue_removals(now=now):
        pass


@shared_task
@in_turn()
def continue_erasures(**_: object) -> None:
    """Go on with erasures that were begun."""
    # What another worker holds is not done either: asking for another turn would only ask again and again.
    services.continue_erasures(now=timezone.now(), seconds=SECONDS_AT_A_TIME)
