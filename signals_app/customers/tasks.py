"""Wake-up calls for what is to be done about profiles; each looks for itself what there is to do."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.customers import services

SECONDS_AT_A_TIME = 20


@shared_task
@in_turn()
def continue_erasures(**_: object) -> None:
    """Go on with erasures that were begun; if there is more than fits into 20 seconds, ask for another turn."""
    if not services.continue_erasures(now=timezone.now(), seconds=SECONDS_AT_A_TIME):
        continue_erasures.delay()
