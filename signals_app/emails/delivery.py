"""Handing one mail to the mail service, through Django's mail API and whatever backend is configured."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from email.utils import formataddr
from urllib.parse import urlsplit
from uuid import UUID

from anymail.message import AnymailMessage
from django.conf import settings
from django.core.mail import get_connection
from django.utils.module_loading import import_string

from signals_app.emails.constants import MessageState
from signals_app.emails.delivery_errors import Outcome, outcome_of, outcome_of_opening
from signals_app.emails.mailbox import LocalMailboxBackend
from signals_app.emails.rendering import one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Envelope:
    """Everything a mail service needs to know about one mail."""

    to_email: str
    subject: str
    html: str
    text: str
    from_name: str
    from_email: str
    reply_to: str
    purpose: str
    project_id: UUID
    project_slug: str
    project_name: str
    unsubscribe_url: str
    message_id: UUID | None = None
    """None for a test mail, which has no row of its own."""
    send_key: str | None = None


def is_local() -> bool:
    """Say whether mails go to the local mailbox, where sending one twice is harmless."""
    backend = import_string(settings.EMAIL_BACKEND)
    return isinstance(backend, type) and issubclass(backend, LocalMailboxBackend)


def build(envelope: Envelope) -> AnymailMessage:
    """
    Return the mail with its headers, every one of them cleaned of newlines.

    One-click unsubscribe: https://www.rfc-editor.org/rfc/rfc8058 (List-Unsubscribe and List-Unsubscribe-Post),
    List-Id: https://www.rfc-editor.org/rfc/rfc2919. `metadata` and `tags` are read by django-anymail; they
    are short, because mail services refuse long ones.
    """
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    headers = {
        "List-Unsubscribe": f"<{envelope.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"{_phrase(envelope.project_name)} <{envelope.project_slug}.{host}>",
    }
    metadata = {"project_id": str(envelope.project_id)}
    if envelope.message_id is not None and envelope.send_key is not None:
        headers["Message-ID"] = f"<{envelope.message_id}@{envelope.from_email.rpartition('@')[2]}>"
        headers["X-Send-Key"] = envelope.send_key
        metadata["message_id"] = str(envelope.message_id)
    mail = AnymailMessage(
        subject=one_line(envelope.subject, limit=500),
        body=envelope.text,
        from_email=formataddr((one_line(envelope.from_name), one_line(envelope.from_email))),
        to=[one_line(envelope.to_email)],
        reply_to=[one_line(envelope.reply_to)] if envelope.reply_to else None,
        headers={name: one_line(value, limit=900) for name, value in headers.items()},
        metadata=metadata,
        tags=[envelope.purpose],
    )
    mail.attach_alternative(envelope.html, "text/html")
    return mail


def deliver(envelope: Envelope, *, now: datetime) -> Outcome:
    """
    Hand the mail over and return what became of it; no exception of a mail service leaves this function.

    The connection is made for this mail alone. On a kept connection one cannot tell a server that hung up before
    the mail was written (send again) from one that hung up after (never send again).
    """
    try:
        mail = build(envelope)
        connection = get_connection()
        connection.open()
    except Exception as error:  # noqa: BLE001 - any backend's: nothing was written, so nothing arrived
        return outcome_of_opening(error)
    try:
        connection.send_messages([mail])
    except Exception as error:  # any backend's: one mail that breaks must not stop the others
        outcome = outcome_of(error, now=now)
        if outcome.state == MessageState.UNKNOWN:
            logger.warning("A mail was handed over and not confirmed", exc_info=True)
        return outcome
    finally:
        _close(connection)
    return Outcome(MessageState.SENT, esp_message_id=_esp_message_id(mail))


def _close(connection: object) -> None:
    """A goodbye that fails says nothing about the mail."""
    try:
        connection.close()  # type: ignore[attr-defined]
    except OSError:
        logger.info("The connection to the mail service did not close cleanly", exc_info=True)


def _esp_message_id(mail: AnymailMessage) -> str:
    status = getattr(mail, "anymail_status", None)
    return str(getattr(status, "message_id", None) or "")[:255]


def _phrase(name: str) -> str:
    return "".join(character for character in name if character.isalnum() or character in " -_.")[:60].strip()
