from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from signals_app.catalog import services


@shared_task
def import_due_feeds(**kwargs: object) -> int:
    """Read the product feeds whose time has come."""
    return services.import_due_feeds(now=timezone.now())
