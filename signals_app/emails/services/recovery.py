"""Mails whose worker was lost between "this may leave now" and "this has left"."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db import transaction

from signals_app.emails import delivery
from signals_app.emails.constants import MessageState, SkipReason
from signals_app.emails.delivery_errors import Outcome
from signals_app.emails.mailbox import has_captured
from signals_app.emails.models import EmailMessage
from signals_app.emails.services.sending import finish


def recover_interrupted(*, now: datetime, limit: int = 500) -> Counter[str]:
    """
    Settle the mails that are `sending` although their lease has run out, and return the states they came to.

    Nobody can know whether a mail service took them, so they become `unknown` and are never sent again. The local
    mailbox does know, by the send key: what it has is `sent`, what it has not is tried again, and if the lost worker
    is only slow and comes back, the send key still lets just one of the two mails in.
    """
    interrupted = EmailMessage.objects.filter(state=MessageState.SENDING, lease_until__lte=now).order_by("lease_until")
    interrupted = interrupted.only("project_id", "send_key", "lease_token")  # what they say may be many megabytes
    counts: Counter[str] = Counter()
    is_local = delivery.is_local()
    for message in interrupted[:limit]:
        state = _settle_local(message, now=now) if is_local else _settle_unknown(message, now=now)
        if state:
            counts[state] += 1
    return counts


def _settle_local(message: EmailMessage, *, now: datetime) -> str:
    if message.lease_token is None:
        return _settle_unknown(message, now=now)
    if has_captured(project_id=message.project_id, send_key=message.send_key):
        outcome = Outcome(MessageState.SENT)
        is_ours = finish(message_id=message.pk, token=message.lease_token, outcome=outcome, now=now)
        return outcome.state if is_ours else ""
    return _move(message, MessageState.RETRY, now=now, due_at=now, sending_at=None, lease_token=None)


def _settle_unknown(message: EmailMessage, *, now: datetime) -> str:
    """The lease token stays, so that a worker that was only slow can still say what became of the mail."""
    return _move(
        message,
        MessageState.UNKNOWN,
        now=now,
        reason=SkipReason.UNKNOWN_NO_ANSWER,
        detail="The worker was lost while the mail service was being called.",
        finished_at=now,
    )


@transaction.atomic
def _move(message: EmailMessage, state: MessageState, *, now: datetime, **changes: object) -> str:
    moved = EmailMessage.objects.filter(
        pk=message.pk, state=MessageState.SENDING, lease_token=message.lease_token
    ).update(state=state, lease_until=None, updated_at=now, **changes)
    return state.value if moved else ""
