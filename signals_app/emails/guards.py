"""
The last word of other rooms on a mail, spoken under the customer's lock in the transaction that begins its sending.

The room that asks for mails of a purpose registers the guard of that purpose in its `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from signals_app.customers.models import Customer
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.models import EmailMessage


class GuardAction(Enum):
    SEND = auto()
    SKIP = auto()
    POSTPONE = auto()


SEND, SKIP, POSTPONE = GuardAction.SEND, GuardAction.SKIP, GuardAction.POSTPONE


@dataclass(frozen=True)
class GuardRequest:
    message: EmailMessage
    customer: Customer
    now: datetime


@dataclass(frozen=True)
class GuardVerdict:
    """What to do with a mail; `until` (aware UTC) says when to ask again after POSTPONE."""

    action: GuardAction
    reason: str = ""
    detail: str = ""
    until: datetime | None = None


Guard = Callable[[GuardRequest], GuardVerdict]
_guards: dict[str, Guard] = {}


def register(purpose: MessagePurpose, guard: Guard) -> None:
    """Let `guard` decide about every mail of `purpose`; registering again replaces it."""
    _guards[purpose] = guard


def verdict(request: GuardRequest) -> GuardVerdict:
    """
    Return the verdict of the guard of the message's purpose.

    :raises LookupError: if the purpose has none: a mail that nobody answers for is not sent.
    """
    guard = _guards.get(request.message.purpose)
    if guard is None:
        raise LookupError(f"No guard is registered for mails of purpose {request.message.purpose}.")
    return guard(request)
