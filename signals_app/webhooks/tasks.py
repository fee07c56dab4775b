"""Wake-up calls for the inbox; each looks for itself what there is to do."""

from __future__ import annotations

import threading
import time

from celery import shared_task
from django.utils import timezone

from signals_app.remarketing import tasks as remarketing_tasks
from signals_app.webhooks import measures, pipeline, services, wakeup

SECONDS_AT_A_TIME = 20
SECONDS_BETWEEN_LOOKS = 0.2

_is_asked = threading.Event()
_turn = threading.Lock()


@shared_task
def process_inbox(**_: object) -> None:
    """
    Process what waits in the inbox, until it is empty or 20 seconds have passed; then pass on what became due.

    Of one process, one thread does it, and looks again if another was asked meanwhile: more threads would only wait
    for each other, on SQLite for the one writer's turn, elsewhere for the interpreter.
    """
    _is_asked.set()
    while _is_asked.is_set() and _turn.acquire(blocking=False):
        try:
            _is_asked.clear()
            _drain()
        finally:
            _turn.release()


def _drain() -> None:
    services.release_parked(now=timezone.now())
    stop_at, next_due_at = time.monotonic() + SECONDS_AT_A_TIME, None
    while time.monotonic() < stop_at:
        began = time.perf_counter()
        report = pipeline.process_batch(now=timezone.now())
        outcomes = {"processed": report.processed, "needs_fixing": report.quarantined, "failed": report.failed}
        measures.note_batch(time.perf_counter() - began, claimed=report.claimed, outcomes=outcomes)
        next_due_at = min(filter(None, (next_due_at, report.next_due_at)), default=None)
        if not report.claimed:
            break
    if next_due_at is not None and next_due_at <= timezone.now():
        remarketing_tasks.queue_due_matches.delay()


@shared_task
def continue_replays(**_: object) -> int:
    """
    Hand over what is to be replayed, slice by slice, until there is no more or 20 seconds have passed.

    While much waits in the inbox it waits too, and leaves the rest to the next call. Says how many it handed over.
    """
    stop_at, count = time.monotonic() + SECONDS_AT_A_TIME, 0
    while time.monotonic() < stop_at:
        progress = services.continue_replay(now=timezone.now())
        count += progress.handed_over
        if progress.handed_over:
            wakeup.wake_workers()
        elif not progress.is_waiting:
            break
        else:
            time.sleep(SECONDS_BETWEEN_LOOKS)
    return count


@shared_task
def watch_connections(**_: object) -> None:
    """Count what came, look at every connection, and tell the team what is wrong or over."""
    services.count_arrivals(now=timezone.now())
    services.watch(now=timezone.now())
    services.mail_alerts(now=timezone.now())
    services.forget_expired_secrets(now=timezone.now())


@shared_task
def probe_addresses(**_: object) -> int:
    """Ask the registered addresses whose turn it is."""
    return services.probe_due(now=timezone.now())


@shared_task
def diagnose_failures(**_: object) -> None:
    """Find out why requests did not verify, a bounded number at a time, and forget what is older than 14 days."""
    services.diagnose_failures(now=timezone.now())
    services.forget_failures(now=timezone.now())
