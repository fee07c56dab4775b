from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.catalog import services
from signals_app.core.turns import in_turn

FEEDS_A_CALL = 5
"""What is left then waits for the next call."""


@shared_task
@in_turn()
def import_due_feeds(**kwargs: object) -> None:
    """Read the product feeds whose time has come, a few at most."""
    for _ in range(FEEDS_A_CALL):
        if not services.import_due_feed(now=timezone.now()):
            break
