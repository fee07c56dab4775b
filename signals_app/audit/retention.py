"""How long it is kept who did what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from signals_app.audit.models import AuditEntry
from signals_app.core.pruning import Prunable, days_in_words


def _entries(now: datetime) -> Iterable[QuerySet[AuditEntry]]:
    return [AuditEntry.objects.filter(at__lt=now - timedelta(days=settings.KEEP_AUDIT_DAYS)).order_by("at")]


def _log_entries(now: datetime) -> Iterable[QuerySet[LogEntry]]:
    oldest = now - timedelta(days=settings.KEEP_AUDIT_DAYS)
    return [LogEntry.objects.filter(action_time__lt=oldest).order_by("pk")]


def _kept_for() -> str:
    return days_in_words(settings.KEEP_AUDIT_DAYS)


PRUNABLES = (
    Prunable(
        "audit entries", _entries, model=AuditEntry, oldest="at", kept_for=_kept_for,
        about="Who saw, exported and changed what", setting="KEEP_AUDIT_DAYS",
    ),
    Prunable(
        "histories of pages", _log_entries, model=LogEntry, oldest="action_time", kept_for=_kept_for,
        about="The histories on the pages of the admin", setting="KEEP_AUDIT_DAYS",
    ),
)  # fmt: skip
