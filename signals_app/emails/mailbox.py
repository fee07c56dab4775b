"""The local mailbox: a mail service that delivers to the admin instead of to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.mail import EmailMessage as DjangoMail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from signals_app.emails.models import MailboxMail


class LocalMailboxBackend(BaseEmailBackend):
    """
    An e-mail backend that keeps every mail as a row.

    A mail with a send key (its header X-Send-Key) is kept once in its store, however often it is sent; a mail without,
    such as Django's own password reset, is kept each time. `metadata` is what django-anymail calls so.
    """

    def send_messages(self, email_messages: Sequence[DjangoMail]) -> int:
        """Keep the mails and return how many were given."""
        for mail in email_messages:
            self._keep(mail)
        return len(email_messages)

    def _keep(self, mail: DjangoMail) -> None:
        metadata: dict[str, Any] = getattr(mail, "metadata", {})
        html = next((str(body) for body, kind in getattr(mail, "alternatives", []) if kind == "text/html"), "")
        headers = {name: str(value) for name, value in mail.message().items()}
        with transaction.atomic():
            MailboxMail.objects.bulk_create(
                [
                    MailboxMail(
                        send_key=mail.extra_headers.get("X-Send-Key"),
                        project_id=metadata.get("project_id"),
                        message_id=metadata.get("message_id"),
                        to_email=", ".join(mail.recipients())[:255],
                        from_email=mail.from_email[:255],
                        subject=str(mail.subject)[:500],
                        headers=headers,
                        html=html,
                        text=str(mail.body),
                    )
                ],
                ignore_conflicts=True,
            )


def has_captured(*, project_id: UUID, send_key: str) -> bool:
    """Say whether the mail of this send key has arrived in the local mailbox."""
    return MailboxMail.objects.filter(project_id=project_id, send_key=send_key).exists()
