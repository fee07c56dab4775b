"""What this room knows about a person: the mails sent to them, and those that were not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower

from signals_app.customers import newest
from signals_app.customers.facets import (
    ErasePart,
    Excerpt,
    ExportTable,
    Facet,
    Kept,
    Step,
    Subject,
    TimelineEntry,
    Tone,
    Trait,
    deleting,
)
from signals_app.customers.forgetting import rewriting
from signals_app.customers.mentions import Mentions
from signals_app.customers.models import Customer
from signals_app.customers.traits import moment
from signals_app.emails.constants import COUNTED_STATES, DUE_STATES, MessageState, SuppressionReason, reason_in_words
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail, Suppression
from signals_app.emails.services import addresses_of, anonymise_suppressions, is_suppressed

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
    reason = reason_in_words(message.reason) if message.reason else ""
    return TimelineEntry(
        at=message.finished_at or message.created_at,
        kind="email",
        title=f"{title}: {message.subject or message.template.name}",
        detail=". ".join(part for part in (reason, message.detail) if part),
        tone=tone,
        reference=str(message.pk),
    )


def _mails(customer: Customer) -> Iterator[dict[str, Any]]:
    for message in EmailMessage.objects.filter(identifier__customer=customer).order_by("created_at").iterator(100):
        yield {
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


def _suppressions(customer: Customer) -> Iterator[dict[str, Any]]:
    for one in Suppression.objects.filter(project=customer.project, email__in=addresses_of(customer)):
        yield {"email": one.email, "reason": one.reason, "created_at": one.created_at.isoformat()}


def _files(customer: Customer) -> Iterator[tuple[str, bytes]]:
    """Yield the mails as they looked, one file each."""
    mails = EmailMessage.objects.filter(identifier__customer=customer).exclude(html="").order_by("created_at", "pk")
    for message in mails.only("created_at", "html").iterator(chunk_size=50):
        yield f"mails/{message.created_at:%Y-%m-%d}-{message.pk}.html", message.html.encode()


TABLES = (
    ExportTable(
        "emails",
        "E-mails to you",
        _mails,
        {"subject": "Subject", "to_email": "To", "state": "State", "finished_at": "When"},
        dict(MessageState.choices),
    ),
    ExportTable(
        "suppressions",
        "Addresses that we must not write to",
        _suppressions,
        {"email": "Address", "reason": "Why", "created_at": "Since"},
        dict(SuppressionReason.choices),
    ),
)


def _hash_suppressions(subject: Subject, place: str, limit: int) -> Step:
    return Step(anonymise_suppressions(project=subject.customer.project, emails=subject.emails))


def _delete_tests(subject: Subject, place: str, limit: int) -> Step:
    """Delete test mails, which go to the team and are tied to no shopper, filled in with what the person did."""
    wanted = Mentions(subject.known_ids)
    tests = MailboxMail.objects.filter(project=subject.customer.project, message=None, pk__gt=int(place or 0))
    chosen = list(tests.order_by("pk").values_list("pk", "subject", "html", "text")[:limit])
    named = [pk for pk, *said in chosen if wanted.found_in(" ".join(said))]
    MailboxMail.objects.filter(pk__in=named).delete()
    return Step(len(named), str(chosen[-1][0]) if len(chosen) == limit else None)


PARTS = (
    ErasePart(
        "Addresses that must get no mail",
        _hash_suppressions,
        outcome="made anonymous",
        why="a fingerprint stays: should the address ever come back, it still gets no mail",
    ),
    ErasePart("Captured mails", deleting(lambda subject: _captured(subject.customer, subject.emails))),
    ErasePart("Captured test mails that show their profile", _delete_tests, is_search=True),
    ErasePart("E-mails", deleting(lambda subject: EmailMessage.objects.filter(identifier__customer=subject.customer))),
    ErasePart(
        "Templates whose name names them",
        rewriting(lambda subject: EmailTemplate.objects.filter(project=subject.customer.project), "name"),
        outcome="made anonymous",
        is_search=True,
    ),
    ErasePart(
        "Earlier versions of these templates",
        rewriting(lambda subject: EmailTemplate.history.filter(project_id=subject.customer.project_id), "name"),
        outcome="made anonymous",
        is_search=True,
    ),
)


def _captured(customer: Customer, addresses: list[str]) -> QuerySet[MailboxMail]:
    in_store = MailboxMail.objects.filter(project=customer.project).annotate(address=Lower("to_email"))
    to_them = in_store.filter(address__in=addresses)
    of_theirs = MailboxMail.objects.filter(message__identifier__customer=customer)
    return MailboxMail.objects.filter(Q(pk__in=of_theirs.values("pk")) | Q(pk__in=to_them.values("pk")))


def describe(customer: Customer, now: datetime) -> list[Trait]:
    mails = EmailMessage.objects.filter(identifier__customer=customer)
    waiting = mails.filter(state__in=DUE_STATES).select_related("template").order_by("due_at", "pk")
    is_refused = bool(customer.email) and is_suppressed(project=customer.project, email=customer.email)
    items = tuple(f"{mail.subject or mail.template.name}, due {moment(mail.due_at)}" for mail in waiting[:20])
    return [
        Trait("Address", "Unsubscribed or bounced: gets no mail" if is_refused else "–"),
        Trait("Mails sent so far", f"{mails.filter(state__in=COUNTED_STATES).count():,}"),
        Trait("Mails on their way", "" if items else "None", items),
    ]


FACET = Facet(
    name="emails",
    label="E-mails",
    models=MODELS,
    timeline=timeline,
    kinds={"email": "E-mails"},
    tables=TABLES,
    files=_files,
    parts=PARTS,
    kept=(
        Kept("Mails in the shopper's own mailbox and at the mail service", "they are out of this program's reach"),
        Kept("What templates say", "it goes to all shoppers; if one was written for this person alone, delete it"),
    ),
    describe=describe,
)
