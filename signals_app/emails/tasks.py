from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from signals_app.core.turns import in_turn
from signals_app.emails import measures, services

SENDING_THREADS = max(1, settings.CELERY_WORKER_CONCURRENCY // 2)
"""Sending mostly waits for the mail service; the other threads of a worker go on with everything else."""


@shared_task
@in_turn(threads=SENDING_THREADS)
def send_due(**kwargs: object) -> None:
    """Send the mails that are due; what one run does not reach, the next does."""
    report = services.send_due(now=timezone.now())
    measures.note_sends(report.counts)


@shared_task
def recover_interrupted(**kwargs: object) -> int:
    """Settle the mails whose worker was lost while sending."""
    counts = services.recover_interrupted(now=timezone.now())
    measures.note_sends(counts)
    return counts.total()
