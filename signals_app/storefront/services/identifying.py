"""What a call from a shop's page comes to."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from signals_app.customers import services as customers
from signals_app.customers.exceptions import ErasedIdentifier
from signals_app.storefront.constants import Outcome
from signals_app.storefront.models import Storefront
from signals_app.storefront.payload import BrowserCall
from signals_app.storefront.proofs import proven_identifiers
from signals_app.storefront.services.claims import forget_claims, keep_claim
from signals_app.storefront.services.session_links import follow_click


def take_call(*, storefront: Storefront, call: BrowserCall, now: datetime) -> Outcome:
    """
    Take in what a page said about its visitor.

    What the shop proved is what `customers.identify` is told; the visitor's own IDs go with it. An e-mail address or
    customer ID without proof ties nothing and makes nobody known: of the address a claim is kept beside a visitor who
    is unknown. A click is a fact of its own, with a transaction of its own. The outcome is for the shop's counts; whether
    somebody exists must not be told to the page.

    :raises WrongProof: if a proof is not this store's; nothing is written then.
    :raises IdentityKeepsMoving: if other transactions kept changing the same people; trying again later helps.
    """
    proven = proven_identifiers(call, storefront.valid_secrets(now=now))
    outcome = _tell(storefront, call, proven, now)
    if call.click and follow_click(storefront=storefront, token=call.click, visitor=call.anonymous_id, now=now):
        return outcome if outcome is Outcome.PROVEN else Outcome.CLICKED
    return outcome


@transaction.atomic
def _tell(storefront: Storefront, call: BrowserCall, proven: dict[str, str], now: datetime) -> Outcome:
    claimed = call.email if not proven and call.visitor else ""
    if not proven and not claimed and len(call.visitor) < 2:
        return Outcome.NOTHING  # one ID alone says nothing that its signals do not
    try:
        found = customers.identify(project=storefront.project, identifiers=proven | call.visitor, now=now)
    except ErasedIdentifier:
        return Outcome.NOTHING
    if proven:
        forget_claims(customer=found.customer)
        return Outcome.PROVEN
    if claimed and keep_claim(visitor=found.identifier, email=claimed, now=now):
        return Outcome.CLAIMED
    return Outcome.TIED if len(call.visitor) > 1 else Outcome.NOTHING
