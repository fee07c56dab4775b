"""Wake-up calls for imports and exports; each looks for itself what there is to do."""

from __future__ import annotations

import logging
import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.transfers import services

logger = logging.getLogger(__name__)

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
    continue_transfers.delay()


def wake() -> None:
    """Have what was just asked for begin soon; a call that is lost only makes it begin later."""
    if settings.PUBLISH_WAKE_UPS:
        try:
            continue_transfers.delay()
        except Exception:
            logger.warning("A wake-up could not be published; the sweeper will find its row.", exc_info=True)
