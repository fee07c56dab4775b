"""Tasks about the whole program."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from insightarc_crm.retention import prune_all
from signals_app.core.turns import wake

SECONDS_AT_A_TIME = 60


@shared_task
def prune(**_: object) -> int:
    """
    Delete what has been kept long enough, for a minute at most, and say how many rows that were.

    If there is more, it asks for another turn, behind what else waits for a worker.
    """
    counts, is_all = prune_all(now=timezone.now(), seconds=SECONDS_AT_A_TIME)
    if not is_all:
        wake(prune)
    return sum(counts.values())
