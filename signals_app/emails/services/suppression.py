"""Addresses that get no more mails, and the link in each mail by which people put theirs among them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils.crypto import salted_hmac

from signals_app.core.bulk import write_rows
from signals_app.core.models import new_id
from signals_app.customers import services as customer_services
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer, Identifier
from signals_app.customers.services.tombstones import erased_among
from signals_app.emails.constants import ERASED_PREFIX, SuppressionReason
from signals_app.emails.exceptions import UnknownToken
from signals_app.emails.models import EmailMessage, Suppression
from signals_app.projects.models import Project

PREVIEW_TOKEN_OF = "preview"  # noqa: S105 - not a secret: what the token of a preview or test mail says
UNDO_FOR = timedelta(hours=1)
_SALT = "signals_app.emails.unsubscribe"
_HASH_SALT = "signals_app.emails.suppression"
_UNDO_SALT = "signals_app.emails.undo"
_SOURCE = "unsubscribe page"


@dataclass(frozen=True)
class Subscription:
    """What the preferences page shows; `message` is None for the link in a preview or test mail."""

    message: EmailMessage | None
    project: Project | None
    email: str
    is_suppressed: bool


@transaction.atomic
def suppress(*, project: Project, email: str, reason: SuppressionReason, source: str, now: datetime) -> Suppression:
    """Stop all mails of the store to an address as `suppress_many` does, and return the entry that stops them."""
    suppress_many(project=project, reasons={email: (reason, source)}, now=now)
    return Suppression.objects.filter(project=project, email__in=_forms_of(project, email)).earliest("created_at", "pk")


def lift_suppression(*, project: Project, email: str) -> int:
    """Let mails to an address go out again, as far as there is consent; return how many entries that ended."""
    ended, _ = Suppression.objects.filter(project=project, email=_normalised(email)).delete()
    return ended


def suppressions_of(*, customer: Customer) -> list[Suppression]:
    """Return the entries that stop mails to a person's addresses, newest first; hashes of erased ones count too."""
    forms = [form for address in addresses_of(customer) for form in _forms_of(customer.project, address)]
    return list(Suppression.objects.filter(project=customer.project, email__in=forms).order_by("-created_at"))


def addresses_of(customer: Customer) -> list[str]:
    """Return every e-mail address that a person is known by."""
    known = customer.identifiers.filter(kind=IdentifierKind.EMAIL).values_list("value", flat=True)
    return sorted({*known, customer.email} - {""})


@transaction.atomic
def suppress_many(*, project: Project, reasons: Mapping[str, tuple[str, str]], now: datetime) -> int:
    """
    Stop all mails of the store to addresses, `{address: (reason, source)}`, and return how many were not stopped before.

    The first reason stands. Of an erased person only the hash of the address is kept, here too.
    """
    keys = {email: Key(IdentifierKind.EMAIL, email) for email in map(_normalised, reasons)}
    erased = erased_among(project=project, keys=set(keys.values()))
    hashes_of = {email: address_hashes(project=project, email=email) for email in keys}
    hashes = {hashed: email for email, found in hashes_of.items() for hashed in found}
    forms = [*keys, *hashes]
    known = {
        hashes.get(email, email)
        for email in Suppression.objects.filter(project=project, email__any_of=forms).values_list("email", flat=True)
    }
    fresh = {_normalised(email): said for email, said in reasons.items() if _normalised(email) not in known}
    write_rows(
        Suppression,
        fields=("id", "project", "email", "reason", "source", "created_at"),
        rows=(
            (new_id(), project.pk, hashes_of[email][0] if keys[email] in erased else email, reason, source[:100], now)
            for email, (reason, source) in sorted(fresh.items())
        ),
        unique=("project", "email"),
    )
    return len(fresh)


def is_suppressed(*, project: Project, email: str) -> bool:
    """Say whether the address must get no mail, also when only the hash of an erased person is left of it."""
    return Suppression.objects.filter(project=project, email__in=_forms_of(project, email)).exists()


def address_hashes(*, project: Project, email: str) -> list[str]:
    """
    Return what may stand for an erased person's address in the suppression list, that of the newest key first.

    The keys are those of encrypted fields, of which the old ones stay when a new one is put in front: another
    `SECRET_KEY` must not let mails go out again.
    """
    value = f"{project.pk}:{_normalised(email)}"
    keyed = [
        ERASED_PREFIX + salted_hmac(_HASH_SALT, value, secret=secret, algorithm="sha256").hexdigest()
        for secret in settings.FIELD_ENCRYPTION_KEYS
    ]
    # Hashes of before were made with the secret of sessions.
    return [*keyed, ERASED_PREFIX + salted_hmac(_HASH_SALT, value, algorithm="sha256").hexdigest()]


def anonymise_suppressions(*, project: Project, emails: Iterable[str]) -> int:
    """Put hashes in the place of the addresses of somebody who is erased, and return how many there were."""
    count = 0
    for email in emails:
        address, hashes = _normalised(email), address_hashes(project=project, email=email)
        named = Suppression.objects.filter(project=project, email=address)
        if Suppression.objects.filter(project=project, email__in=hashes).exists():
            count += named.delete()[0]
        else:
            count += named.update(email=hashes[0], source="")
    return count


def _forms_of(project: Project, email: str) -> list[str]:
    """Return all that may stand for an address in the list: itself, and the hashes of an erased person's."""
    return [_normalised(email), *address_hashes(project=project, email=email)]


def _normalised(email: str) -> str:
    return email.strip().lower()[:255]


def unsubscribe_token(message: EmailMessage | None) -> str:
    """Return the opaque, signed token of a mail's unsubscribe link; None stands for a preview or test mail."""
    value = PREVIEW_TOKEN_OF if message is None else base64.urlsafe_b64encode(message.pk.bytes).decode().rstrip("=")
    return signing.Signer(salt=_SALT).sign(value)


def unsubscribe_url(message: EmailMessage | None) -> str:
    return f"{settings.PUBLIC_URL}/e/u/{unsubscribe_token(message)}"


def subscription_of(*, token: str) -> Subscription:
    """
    Return whose mails a link is about, and change nothing.

    :raises UnknownToken: if the token was not made here or its mail is gone.
    """
    try:
        value = signing.Signer(salt=_SALT).unsign(token)
    except signing.BadSignature as error:
        raise UnknownToken from error
    if value == PREVIEW_TOKEN_OF:
        return Subscription(message=None, project=None, email="", is_suppressed=False)
    message_id = uuid.UUID(bytes=base64.urlsafe_b64decode(value + "=="))
    # Of somebody who is being erased the mail goes too, a moment later; their address is gone already.
    mails = EmailMessage.objects.filter(identifier__customer__erased_at=None)
    message = mails.select_related("project", "identifier__customer").filter(pk=message_id).first()
    if message is None:
        raise UnknownToken
    email = message.to_email or message.identifier.customer.email
    return Subscription(
        message=message,
        project=message.project,
        email=email,
        is_suppressed=is_suppressed(project=message.project, email=email),
    )


@transaction.atomic
def unsubscribe(*, token: str, now: datetime) -> Subscription:
    """
    End the mails to the person a link was sent to: the address is suppressed and the consent withdrawn.

    Done twice, it changes nothing the second time.

    :raises UnknownToken: if the token was not made here or its mail is gone.
    """
    subscription = subscription_of(token=token)
    message, project = subscription.message, subscription.project
    if message is None or project is None:
        return subscription
    # Also for an address that bounced before: if somebody lifts that, the no still stands.
    if customer_services.has_consent(customer=message.identifier.customer).granted:
        customer_services.record_consent(
            project=project, identifiers=_address(message.identifier), granted=False, source=_SOURCE, now=now
        )
    suppress(project=project, email=subscription.email, reason=SuppressionReason.UNSUBSCRIBED, source=_SOURCE, now=now)
    return subscription_of(token=token)


def undo_token(*, token: str) -> str:
    """Return what proves, for an hour, that somebody has just unsubscribed with `token` and may think better of it."""
    return signing.TimestampSigner(salt=_UNDO_SALT).sign(token)


@transaction.atomic
def undo_unsubscribe(*, token: str, undo: str, now: datetime) -> Subscription:
    """
    Take an unsubscription of the last hour back; a bounce, a complaint or a person's entry stays.

    :raises UnknownToken: if either token was not made here, belongs to another mail, or is too old.
    """
    try:
        is_ours = signing.TimestampSigner(salt=_UNDO_SALT).unsign(undo, max_age=UNDO_FOR) == token
    except signing.BadSignature as error:
        raise UnknownToken from error
    subscription = subscription_of(token=token)
    message, project = subscription.message, subscription.project
    if not is_ours or message is None or project is None:
        raise UnknownToken
    taken_back, _ = Suppression.objects.filter(
        project=project,
        email=_normalised(subscription.email),
        reason=SuppressionReason.UNSUBSCRIBED,
        source=_SOURCE,
    ).delete()
    if taken_back:
        customer_services.record_consent(
            project=project,
            identifiers=_address(message.identifier),
            granted=True,
            source=f"{_SOURCE}: undone",
            now=now,
        )
    return subscription_of(token=token)


def _address(identifier: Identifier) -> dict[str, str]:
    return {identifier.kind: identifier.value}
