"""Wake-up calls for imports and exports; each looks for itself what there is to do."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from signals_app.core import turns
from signals_app.core.turns import in_turn
from signals_app.transfers import services

SECONDS_AT_A_TIME = 20


@shared_task
@in_turn()
def continue_transfers(**_: object) -> None:
    """Carry on with imports and exports, in turn, for 20 seconds; if there is more, it asks for another turn."""
    stop_at = time.monotonic() + SECONDS_AT_A_TIME
    while (left := stop_at - time.monotonic()) > 0:
        exported = services.continue_export(now=timezone.now(), seconds=left / 2)
        imported = services.continue_import(now=timezone.now(), seconds=max(left / 2, 1))
        if not (exported.is_more or imported.is_more):
            return
    wake()


def wake() -> None:
    """Have what was just asked for begin soon."""
    turns.wake(continue_transfers)
