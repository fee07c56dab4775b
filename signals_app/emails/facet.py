"""What this room knows about a person: the mails sent to them, and those that were not."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from signals_app.customers import newest
from signals_app.customers.facets import Excerpt, Facet, TimelineEntry, Tone
from signals_app.customers.models import Customer
from signals_app.emails.constants import MessageState, reason_words
from signals_app.emails.models import EmailMessage, MailboxMail, Suppression
from signals_app.emails.services import addresses_of, anonymise_suppressions

MODELS: tuple[type[Model], ...] = (EmailMessage, MailboxMail)
_TITLES: dict[str, tuple[str, Tone]] = {
    MessageState.SENT: ("E-mail sent", "good"),
    MessageState.UNKNOWN: ("E-mail unconfirmed", "warn"),
    MessageState.FAILED: ("E-mail failed", "bad"),
    MessageState.SUPPRESSED: ("E-mail skipped", "info"),
}


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    finished = EmailMessage.objects.filter(
        identifier__customer=customer, finished_at__isnull=False, state__in=_TITLES
    ).select_related("template")
    shown = newest.ordered(finished.defer("html", "text"), excerpt, kind="email", at="finished_at")
    return [_entry(message) for message in shown]


def _entry(message: EmailMessage) -> TimelineEntry:
    title, tone = _TITLES[message.state]
    reason = reason_words(message.reason) if message.reason else ""
    return TimelineEntry(
        at=message.finished_at or message.created_at,
        kind="email",
        title=f"{title}: {message.subject or message.template.name}",
        detail=". ".join(part for part in (reason, message.detail) if part),
        tone=tone,
        reference=str(message.pk),
    )


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    messages = EmailMessage.objects.filter(identifier__customer=customer).order_by("created_at")
    suppressions = Suppression.objects.filter(project=customer.project, email__in=addresses_of(customer))
    return {
        "emails": [
            {
                "id": str(message.pk),
                "state": message.state,
                "reason": message.reason,
                "detail": message.detail,
                "due_at": message.due_at.isoformat(),
                "finished_at": message.finished_at.isoformat() if message.finished_at else None,
                "to_email": message.to_email,
                "subject": message.subject,
                "text": message.text,
                "html": message.html,
            }
            for message in messages
        ],
        "suppressions": [
            {"email": one.email, "reason": one.reason, "created_at": one.created_at.isoformat()} for one in suppressions
        ],
    }


@transaction.atomic
def erase(customer: Customer) -> int:
    """
    Delete the mails to a person, also those that the local mailbox holds, and return how many rows there were.

    That an address must get no mail outlives the person: of it a keyed hash stays.
    """
    addresses = addresses_of(customer)
    anonymise_suppressions(project=customer.project, emails=addresses)
    captured = _captured(customer, addresses)
    count = captured.count()
    captured.delete()
    messages = EmailMessage.objects.filter(identifier__customer=customer)
    count += messages.count()
    messages.delete()
    return count


def _captured(customer: Customer, addresses: list[str]) -> QuerySet[MailboxMail]:
    return MailboxMail.objects.filter(
        Q(message__identifier__customer=customer) | Q(project=customer.project, to_email__in=addresses)
    )


FACET = Facet(
    name="emails",
    label="E-mails",
    models=MODELS,
    timeline=timeline,
    export=export,
    erase=erase,
    kinds={"email": "E-mails"},
)
