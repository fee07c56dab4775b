from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.emails import measures, services


@shared_task
def send_due(**kwargs: object) -> int:
    """Send the mails that are due; what one run does not reach, the next does."""
    report = services.send_due(now=timezone.now())
    measures.note_sends(report.counts)
    return report.total


@shared_task
def recover_interrupted(**kwargs: object) -> int:
    """Settle the mails whose worker was lost while sending."""
    counts = services.recover_interrupted(now=timezone.now())
    measures.note_sends(counts)
    return counts.total()
