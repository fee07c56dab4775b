from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.api import idempotency


@shared_task
def forget_idempotent_requests(**kwargs: object) -> int:
    """Delete the kept answers whose day is over."""
    return idempotency.forget(now=timezone.now())
