"""How long it is kept what mails said; that they were sent stays, since limits and results count it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.emails.models import EmailMessage, MailboxMail


def _contents(now: datetime) -> Iterable[QuerySet[EmailMessage]]:
    if not settings.KEEP_MAIL_CONTENT_DAYS:
        return []
    oldest = now - timedelta(days=settings.KEEP_MAIL_CONTENT_DAYS)
    old = EmailMessage.objects.filter(created_at__lt=oldest, finished_at__isnull=False)
    return [old.exclude(html="").order_by("created_at")]


def _empty(rows: QuerySet[Any]) -> int:
    return rows.update(html="", text="", context={})


def _captured(now: datetime) -> Iterable[QuerySet[MailboxMail]]:
    oldest = now - timedelta(days=settings.KEEP_CAPTURED_MAILS_DAYS)
    # In the order of their ids, which is that of their times but for the last few.
    return [MailboxMail.objects.filter(received_at__lt=oldest).order_by("pk")]


PRUNABLES = (
    Prunable(
        "contents of mails", _contents, _empty, model=EmailMessage, oldest="created_at", changes=True,
        about="What mails to shoppers said", kept_for=lambda: days_in_words(settings.KEEP_MAIL_CONTENT_DAYS),
        setting="KEEP_MAIL_CONTENT_DAYS",
    ),
    Prunable(
        "captured mails", _captured, model=MailboxMail, oldest="received_at",
        about="Mails captured here instead of being sent",
        kept_for=lambda: days_in_words(settings.KEEP_CAPTURED_MAILS_DAYS), setting="KEEP_CAPTURED_MAILS_DAYS",
    ),
)  # fmt: skip
