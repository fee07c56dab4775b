from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.emails import services


@shared_task
def send_due(**kwargs: object) -> int:
    """Send the mails that are due; what one run does not reach, the next does."""
    return services.send_due(now=timezone.now()).total


@shared_task
def recover_interrupted(**kwargs: object) -> int:
    """Settle the mails whose worker was lost while sending."""
    return services.recover_interrupted(now=timezone.now()).total()
