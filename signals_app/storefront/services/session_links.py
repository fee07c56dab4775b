"""
Session links: a person's click in a mail ties the browser it leads to, where the store and the shopper allow it.

Off unless the store switches it on. A link then carries a token of its mail, and the script on the landing page sends it
back with the visitor's ID once the page was looked at for two seconds. What that shows is an edge of its own kind
(`Evidence.CLICK`), which can be taken back like any other; it never joins two known shoppers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from signals_app.customers import services as customers
from signals_app.customers.constants import Evidence, IdentifierKind
from signals_app.customers.models import Identifier, IdentityEdge
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.link_decorators import LinkRequest
from signals_app.emails.models import EmailMessage
from signals_app.storefront import click_tokens
from signals_app.storefront.constants import VISITORS_PER_MAIL
from signals_app.storefront.exceptions import InvalidOrigin
from signals_app.storefront.models import Storefront
from signals_app.storefront.origins import origin_of


def session_link_decorator(request: LinkRequest) -> Callable[[str], str] | None:
    """Return what turns a mail's links into session links; None where the store or the shopper does not allow it."""
    message = request.message
    if message.purpose == MessagePurpose.TEST:
        return None
    storefront = Storefront.objects.filter(project=message.project_id, is_enabled=True, has_session_links=True).first()
    if storefront is None or not customers.may_track(customer=request.customer).granted:
        return None
    token, allowed = click_tokens.sign(message.pk), frozenset(storefront.allowed_origins)

    def decorate(address: str) -> str:
        return click_tokens.with_token(address, token) if _leads_to_the_shop(address, allowed) else address

    return decorate


def _leads_to_the_shop(address: str, allowed: frozenset[str]) -> bool:
    if address.startswith(f"{settings.PUBLIC_URL}/e/"):
        return False  # the link to unsubscribe, on an installation that answers at the shop's own address
    try:
        return origin_of(address) in allowed
    except InvalidOrigin:
        return False


@transaction.atomic
def follow_click(*, storefront: Storefront, token: str, visitor: str, now: datetime) -> bool:
    """
    Tie a browser to the address that a mail was sent to, and return whether it is tied.

    An old or forged token, a shopper who no longer allows tracking, a browser that belongs to somebody else who is known
    and a mail that has been passed around tie nothing.
    """
    message = _message(storefront, token)
    if message is None or not message.to_email or not visitor:
        return False
    sent_to = Identifier.objects.filter(
        project=storefront.project_id, kind=IdentifierKind.EMAIL, value=message.to_email.lower()
    )
    address = sent_to.select_related("customer__project").first()
    if address is None or not customers.may_track(customer=address.customer).granted:
        return False
    reference = f"mail:{message.pk}"
    if _is_of_another(storefront, address, visitor) or _has_been_passed_around(address, visitor, reference):
        return False
    identifiers = {str(address.kind): address.value, IdentifierKind.ANONYMOUS_ID.value: visitor}
    sighting = customers.Sighting(reference, identifiers, evidence=Evidence.CLICK)
    return reference in customers.resolve(project=storefront.project, sightings=[sighting], now=now)


def _message(storefront: Storefront, token: str) -> EmailMessage | None:
    message_id: uuid.UUID | None = click_tokens.message_of(token) if storefront.has_session_links else None
    if message_id is None:
        return None
    return EmailMessage.objects.filter(pk=message_id, project=storefront.project_id).first()


def _is_of_another(storefront: Storefront, address: Identifier, visitor: str) -> bool:
    """
    A friend's browser, to whom the mail was passed on: weak evidence, and not worth asking a person about.

    Whoever becomes known between this look and the tie is left apart by `resolve` all the same, as a conflict.
    """
    others = Identifier.objects.filter(
        project=storefront.project_id, kind=IdentifierKind.ANONYMOUS_ID, value=visitor
    ).exclude(customer=address.customer_id)
    return others.exclude(customer__email="", customer__external_id="").exists()


def _has_been_passed_around(address: Identifier, visitor: str, reference: str) -> bool:
    ties = IdentityEdge.objects.filter(
        Q(left=address) | Q(right=address), evidence=Evidence.CLICK, reference=reference
    ).exclude(Q(left__value=visitor) | Q(right__value=visitor))
    return ties.count() >= VISITORS_PER_MAIL
