"""
Sending what is due: at most one mail per send key, and none that consent, suppression or a guard forbids.

A mail goes `queued -> sending` in one short transaction under its customer's lock, in which everything is checked and
the mail is written out. That transaction commits before the mail service is called, so whatever happens then, the row
says that the mail may have left. What the service answered is written in a second transaction.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from signals_app.core.claims import Claim, claim
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.customers.services.locks import lock_owners
from signals_app.emails import delivery, guards, link_decorators
from signals_app.emails.constants import DUE_STATES, MessageState, SkipReason
from signals_app.emails.delivery import Envelope
from signals_app.emails.delivery_errors import Outcome
from signals_app.emails.exceptions import TemplateError
from signals_app.emails.models import EmailMessage, SenderIdentity
from signals_app.emails.services.content import Occasion, claim_coupon, render_for
from signals_app.emails.services.suppression import is_suppressed, unsubscribe_url
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind

logger = logging.getLogger(__name__)

CLAIM_LEASE = SENDING_LEASE = timedelta(seconds=settings.LEASE_SECONDS)
"""Longer than the slowest answer of a mail service that is waited for (settings.EMAIL_TIMEOUT, ANYMAIL)."""
CLAIM_SIZE = 20
MAX_SECONDS = settings.LEASE_SECONDS / 2
"""A run begins no mail after this time, so that whatever it has claimed begins while the claim lasts."""
MAX_TRIES = 8
FINISH_AGAIN_SECONDS = 0.5
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
ACCOUNT_RETRY = timedelta(minutes=15)
LOST = "lost"
"""In a report: the claim had been lost to another worker, who will say more."""
_random = SystemRandom()


@dataclass
class SendReport:
    """How many mails came to each state: {"sent": 3, "suppressed": 1}; a postponed one is "queued" still."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts.total()


@dataclass(frozen=True)
class Departure:
    """What the first transaction decided: the state it wrote and, if the mail leaves, its envelope."""

    state: str
    envelope: Envelope | None = None


def send_due(*, now: datetime, limit: int | None = None) -> SendReport:
    """
    Claim and send mails that are due, oldest first, at most `limit`; return what became of them.

    Any number of workers may run this at once. When the mail service refuses our account, or the time is over, what is
    claimed and not yet begun is given back as if it had not been claimed.
    """
    report = SendReport()
    began = time.monotonic()

    def moment() -> datetime:
        return now + timedelta(seconds=int(time.monotonic() - began))

    goes_on = True
    while goes_on and (limit is None or report.total < limit):
        due = EmailMessage.objects.filter(state__in=DUE_STATES, due_at__lte=now).order_by("due_at")
        size = CLAIM_SIZE if limit is None else min(CLAIM_SIZE, limit - report.total)
        claimed = claim(due, now=moment(), lease=CLAIM_LEASE, limit=size)
        goes_on = bool(claimed.pks) and _send_claimed(claimed, report, moment, stop_at=began + MAX_SECONDS)
    return report


def _send_claimed(claimed: Claim, report: SendReport, moment: Callable[[], datetime], *, stop_at: float) -> bool:
    """Send claimed mails and return whether to go on with others."""
    for number, pk in enumerate(claimed.pks):
        if time.monotonic() >= stop_at:
            _give_back(claimed.pks[number:], claimed.token)
            return False
        try:
            outcome = send_message(message_id=pk, token=claimed.token, now=moment())
        except Exception:
            # One mail's trouble must not keep the others waiting: its lease runs out and it is tried again.
            logger.exception("A mail could not be sent", extra={"message_id": str(pk)})
            report.counts["error"] += 1
            continue
        report.counts[outcome.state] += 1
        if outcome.is_our_account:
            _give_back(claimed.pks[number + 1 :], claimed.token)
            return False
    return time.monotonic() < stop_at


def send_message(*, message_id: uuid.UUID, token: uuid.UUID, now: datetime) -> Outcome:
    """
    Send one claimed mail, unless something forbids it, and return what became of it.

    A claim that was lost meanwhile (the lease ran out and another worker has it) ends here without a trace.
    """
    with transaction.atomic():
        departure = _depart(message_id=message_id, token=token, now=now)
    if departure.envelope is None:
        return Outcome(departure.state)
    outcome = delivery.deliver(departure.envelope, now=now)
    _finish_in_spite_of_the_database(message_id=message_id, token=token, outcome=outcome, now=now)
    return outcome


def _finish_in_spite_of_the_database(
    *, message_id: uuid.UUID, token: uuid.UUID, outcome: Outcome, now: datetime
) -> None:
    """
    Write what the mail service said, trying again while the database cannot be reached.

    Nobody else knows it: given up, a mail that was sent would stay unconfirmed, and one that was not would never be.
    """
    until = time.monotonic() + SENDING_LEASE.total_seconds()
    while True:
        try:
            finish(message_id=message_id, token=token, outcome=outcome, now=now)
        except (OperationalError, InterfaceError):
            if time.monotonic() >= until:
                raise
            logger.warning("What became of a mail could not be written yet", extra={"message_id": str(message_id)})
            connection.close_if_unusable_or_obsolete()
            time.sleep(FINISH_AGAIN_SECONDS)
        else:
            return


def _give_back(pks: tuple[Any, ...], token: uuid.UUID) -> None:
    """Let go of claimed mails; none was tried, so the try that the claim counted does not count."""
    EmailMessage.objects.filter(pk__in=pks, lease_token=token).update(
        lease_token=None, lease_until=None, attempts=F("attempts") - 1
    )


def _depart(*, message_id: uuid.UUID, token: uuid.UUID, now: datetime) -> Departure:
    customer = _lock_customer_of(message_id)
    message = (
        EmailMessage.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project__sender", "template", "identifier")
        .filter(pk=message_id, lease_token=token, state__in=DUE_STATES)
        .first()
    )
    if message is None or customer is None:
        return Departure(LOST)
    to_email = _address_of(message, customer)
    skip = _reason_to_skip(message, customer, to_email)
    if skip is not None:
        return _end(message, MessageState.SUPPRESSED, skip[0], skip[1], now=now)
    if message.attempts > MAX_TRIES:
        return _end(message, MessageState.FAILED, SkipReason.FAILED_TRIES, message.detail, now=now)
    verdict = guards.verdict(guards.GuardRequest(message=message, customer=customer, now=now))
    if verdict.action is guards.SKIP:
        return _end(message, MessageState.SUPPRESSED, verdict.reason, verdict.detail, now=now)
    if verdict.action is guards.POSTPONE:
        return _postpone(message, verdict, now=now)
    return _begin(message, customer, to_email, now=now)


def _lock_customer_of(message_id: uuid.UUID) -> Customer | None:
    """Lock and return the customer of a message; None if the message is gone, or its shopper is being erased."""
    identifiers = list(EmailMessage.objects.filter(pk=message_id).values_list("identifier_id", flat=True))
    return next(iter(lock_owners(identifiers).values()), None)


def _address_of(message: EmailMessage, customer: Customer) -> str:
    return message.identifier.value if message.identifier.kind == "email" else customer.email


def _reason_to_skip(message: EmailMessage, customer: Customer, to_email: str) -> tuple[str, str] | None:
    """Return why the mail must not be sent, as (reason, detail), or None."""
    project = message.project
    if project.is_sending_paused:
        return SkipReason.SKIPPED_SENDING_PAUSED, ""
    sender = _sender_of(message)
    if sender is None:
        return SkipReason.SKIPPED_SENDER_MISSING, "Set up a sender first."
    if sender.is_placeholder and not delivery.is_local():
        return SkipReason.SKIPPED_SENDER_MISSING, "The examples' sender is good for the local mailbox only."
    if not to_email:
        return SkipReason.SKIPPED_NO_ADDRESS, ""
    if is_suppressed(project=project, email=to_email):
        return SkipReason.SKIPPED_SUPPRESSED, ""
    consent = customer_services.has_consent(customer=customer)
    return None if consent.granted else (SkipReason.SKIPPED_NO_CONSENT, consent.detail)


def _sender_of(message: EmailMessage) -> SenderIdentity | None:
    return getattr(message.project, "sender", None)


def _end(message: EmailMessage, state: MessageState, reason: str, detail: str, *, now: datetime) -> Departure:
    message.state, message.reason, message.detail = state, reason, detail[:500]
    message.finished_at, message.lease_token, message.lease_until = now, None, None
    message.save(update_fields=["state", "reason", "detail", "finished_at", "lease_token", "lease_until", "updated_at"])
    return Departure(state)


def _postpone(message: EmailMessage, verdict: guards.GuardVerdict, *, now: datetime) -> Departure:
    """Let the mail wait; it has not been tried, so the try does not count."""
    message.reason, message.detail = verdict.reason, verdict.detail[:500]
    message.due_at = max(verdict.until or now, now + timedelta(minutes=1))
    message.attempts, message.lease_token, message.lease_until = 0, None, None
    message.save(update_fields=["reason", "detail", "due_at", "attempts", "lease_token", "lease_until", "updated_at"])
    return Departure(message.state)


def _begin(message: EmailMessage, customer: Customer, to_email: str, *, now: datetime) -> Departure:
    """Write the mail out and the state `sending` with it; a template that fails has sent nothing."""
    sender = _sender_of(message)
    if sender is None:
        raise LookupError("the sender was checked before")
    try:
        with transaction.atomic():  # a coupon taken for a mail that cannot be written out goes back
            occasion = Occasion(
                project=message.project,
                template=message.template,
                customer=customer,
                to_email=to_email,
                context=message.context if isinstance(message.context, dict) else {},
                message=message,
                coupon_code=claim_coupon(message=message, now=now),
                now=now,
            )
            asked = link_decorators.LinkRequest(message=message, customer=customer, now=now)
            mail = render_for(occasion, sender=sender, rewrite_link=link_decorators.rewrite_for(asked))
    except TemplateError as error:
        return _end(message, MessageState.FAILED, SkipReason.FAILED_TEMPLATE, str(error), now=now)
    message.state, message.reason, message.detail = MessageState.SENDING, "", ""
    message.sending_at, message.lease_until = now, now + SENDING_LEASE
    message.to_email, message.subject, message.html, message.text = to_email, mail.subject, mail.html, mail.text
    message.save(
        update_fields=[
            *("state", "reason", "detail", "sending_at", "lease_until", "updated_at"),
            *("to_email", "subject", "html", "text"),
        ]
    )
    return Departure(MessageState.SENDING, _envelope(message, sender))


def _envelope(message: EmailMessage, sender: SenderIdentity) -> Envelope:
    return Envelope(
        to_email=message.to_email,
        subject=message.subject,
        html=message.html,
        text=message.text,
        from_name=sender.from_name,
        from_email=sender.from_email,
        reply_to=sender.reply_to,
        purpose=message.purpose,
        project_id=message.project_id,
        project_slug=message.project.slug,
        project_name=message.project.name,
        unsubscribe_url=unsubscribe_url(message),
        message_id=message.pk,
        send_key=message.send_key,
    )


@transaction.atomic
def finish(*, message_id: uuid.UUID, token: uuid.UUID, outcome: Outcome, now: datetime) -> bool:
    """
    Write what the mail service said and return whether the mail was still ours to finish.

    A worker that was slow finds its mail `unknown` and, since it is the one that knows, resolves it.
    """
    message = (
        EmailMessage.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project")
        .filter(pk=message_id, lease_token=token, state__in=(MessageState.SENDING, MessageState.UNKNOWN))
        .first()
    )
    if message is None:
        return False
    message.state, message.reason, message.detail = outcome.state, outcome.reason, outcome.detail[:500]
    message.lease_until = None
    if outcome.state == MessageState.RETRY:
        _plan_retry(message, outcome, now=now)
    else:
        message.finished_at = now
        message.esp_message_id = outcome.esp_message_id
    if message.state != MessageState.UNKNOWN:
        message.lease_token = None
    message.save(
        update_fields=[
            *("state", "reason", "detail", "attempts", "lease_token", "lease_until", "updated_at"),
            *("due_at", "sending_at", "finished_at", "esp_message_id"),
        ]
    )
    if message.state == MessageState.SENT:
        fact_services.record(project=message.project, kind=FactKind.MESSAGE_SENT, subject_ids=[str(message.pk)])
    return True


def _plan_retry(message: EmailMessage, outcome: Outcome, *, now: datetime) -> None:
    message.sending_at = None  # it certainly did not arrive, so no limit counts it
    if outcome.is_our_account:
        message.attempts, message.due_at = 0, now + ACCOUNT_RETRY
    elif message.attempts >= MAX_TRIES:
        message.state, message.reason, message.finished_at = MessageState.FAILED, SkipReason.FAILED_TRIES, now
    else:
        message.due_at = now + retry_delay(message.attempts, asked=outcome.retry_after)


def retry_delay(attempts: int, *, asked: timedelta | None = None) -> timedelta:
    """Return how long to wait after so many tries: doubling, spread by a quarter, never less than was asked for."""
    doubled = min(FIRST_RETRY * float(1 << max(attempts - 1, 0)), LONGEST_RETRY)
    spread = doubled * _random.uniform(0.75, 1.25)
    return max(spread, asked) if asked is not None else spread
