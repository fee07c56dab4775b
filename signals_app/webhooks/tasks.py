"""Wake-up calls for the inbox; each looks for itself what there is to do."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import connection
from django.utils import timezone

from signals_app.core.turns import in_turn, wake
from signals_app.remarketing import tasks as remarketing_tasks
from signals_app.shops import services as shops
from signals_app.webhooks import measures, pipeline, services, wakeup

SECONDS_AT_A_TIME = 20
SECONDS_BETWEEN_LOOKS = 0.2

DRAINING_THREADS = 1 if connection.vendor == "sqlite" else 2
"""Where there is more than one writer, one thread computes while the database works for the other."""


@shared_task
@in_turn(threads=DRAINING_THREADS)
def process_inbox(**_: object) -> None:
    """
    Process what waits in the inbox, until it is empty or 20 seconds have passed; then pass on what became due.

    If more waits, it asks for another turn: while the workers are behind nobody else wakes them but the sweeper, and
    that only one of them.
    """
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
    else:
        wake(process_inbox)
    if next_due_at is not None and next_due_at <= timezone.now():
        wake(remarketing_tasks.queue_due_matches)


@shared_task
@in_turn()
def continue_replays(**_: object) -> None:
    """
    Hand over what is to be replayed, slice by slice, until there is no more or 20 seconds have passed.

    While much waits in the inbox it waits too, and leaves the rest to the next call.
    """
    stop_at = time.monotonic() + SECONDS_AT_A_TIME
    while time.monotonic() < stop_at:
        progress = services.continue_replay(now=timezone.now())
        if progress.handed_over:
            wakeup.wake_workers()
        elif not progress.is_waiting:
            break
        else:
            time.sleep(SECONDS_BETWEEN_LOOKS)


@shared_task
@in_turn()
def watch_connections(**_: object) -> None:
    """Count what came, look at every connection, and tell the team what is wrong or over."""
    services.count_arrivals(now=timezone.now())
    services.watch(now=timezone.now())
    services.mail_alerts(now=timezone.now())
    services.forget_expired_secrets(now=timezone.now())


@shared_task
@in_turn()
def count_coverage(**_: object) -> None:
    """Count whom the signals name that came meanwhile, for at most 10 seconds at a time."""
    services.count_coverage(now=timezone.now(), seconds=10)


@shared_task
def probe_addresses(**_: object) -> int:
    """Ask the registered addresses whose turn it is."""
    return services.probe_due(now=timezone.now())


@shared_task
@in_turn()
def continue_shop_syncs(**_: object) -> None:
    """Read on in the shops that are being read, until none is due or 20 seconds have passed."""
    stop_at = time.monotonic() + SECONDS_AT_A_TIME
    while time.monotonic() < stop_at:
        if not shops.continue_syncs(api_of=services.api_of_shop, now=timezone.now()):
            break


@shared_task
def compare_shops(**_: object) -> int:
    """Start the nightly comparison of the shops whose night it is."""
    return shops.start_nightly_comparisons(now=timezone.now())


@shared_task
@in_turn()
def diagnose_failures(**_: object) -> None:
    """Find out why requests did not verify, a bounded number at a time, and forget what is older than 14 days."""
    services.diagnose_failures(now=timezone.now())
    services.forget_failures(now=timezone.now())
