"""Wake-up calls for the inbox; each looks for itself what there is to do."""

from __future__ import annotations

import threading
import time

from celery import shared_task
from django.db import connection
from django.utils import timezone

from signals_app.remarketing import tasks as remarketing_tasks
from signals_app.webhooks import pipeline, services

SECONDS_AT_A_TIME = 20

_is_asked = threading.Event()
_turns = threading.BoundedSemaphore(1 if connection.vendor == "sqlite" else 2)
"""Elsewhere one thread computes while the database works for the other; a third would only wait for the interpreter."""


@shared_task
def process_inbox(**_: object) -> None:
    """
    Process what waits in the inbox, until it is empty or 20 seconds have passed; then pass on what became due.

    Of one process, one thread does it, or two (`_turns`), and looks again if another was asked meanwhile: more would
    only wait for each other, on SQLite for the one writer's turn, elsewhere for the interpreter.
    """
    _is_asked.set()
    while _is_asked.is_set() and _turns.acquire(blocking=False):
        try:
            _is_asked.clear()
            _drain()
        finally:
            _turns.release()


def _drain() -> None:
    services.release_parked(now=timezone.now())
    stop_at, next_due_at = time.monotonic() + SECONDS_AT_A_TIME, None
    while time.monotonic() < stop_at:
        report = pipeline.process_batch(now=timezone.now())
        next_due_at = min(filter(None, (next_due_at, report.next_due_at)), default=None)
        if not report.claimed:
            break
    if next_due_at is not None and next_due_at <= timezone.now():
        remarketing_tasks.queue_due_matches.delay()
