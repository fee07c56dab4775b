"""Customers of a shop: who they are, what they allow, and what they ask for by law."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from signals_app.customers import services as customer_services
from signals_app.customers.constants import Channel, Evidence, IdentifierKind, Topic
from signals_app.customers.exceptions import ErasedIdentifier, InvalidIdentifier
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import Key
from signals_app.customers.models import ConsentChange, Customer, Identifier
from signals_app.customers.services import tombstones
from signals_app.shops.constants import PRIVACY_DAYS, ObjectKind, PrivacyKind
from signals_app.shops.exceptions import NothingToDo
from signals_app.shops.models import PrivacyRequest, ShopConnection
from signals_app.shops.records import PrivacyDemand, ShopConsent, ShopCustomer, TagChange
from signals_app.shops.services.newest import is_newest, object_id_of
from signals_app.shops.services.orders import OLDER, Put

SYSTEM = "Shopify"


@transaction.atomic
def put_customer(*, shop: ShopConnection, said: ShopCustomer, now: datetime) -> Put:
    """
    Tie a customer's number to their e-mail address, and keep their name, language, country and tags.

    :raises InvalidInput: of customers, if an identifier cannot be used, or the person was erased.
    """
    if not is_newest(shop=shop, kind=ObjectKind.CUSTOMER, object_id=said.customer_id, changed_at=said.changed_at):
        return Put(reason=OLDER)
    found = customer_services.identify(
        project=shop.project,
        identifiers=said.identifiers,
        attributes=said.attributes,
        evidence=Evidence.IMPORT,
        now=now,
    )
    if said.consent is not None and said.consent.is_granted is not None:
        _record_consent(shop, said.consent, said.consent.said_at or said.changed_at, now)
    return Put(found.identifier, True)


@transaction.atomic
def change_tags(*, shop: ShopConnection, said: TagChange, come_at: datetime, now: datetime) -> Put:
    """Add or remove tags of a customer, each as of when it was last said of it."""
    at = said.changed_at or come_at
    newest = {
        tag
        for tag in said.tags
        if is_newest(shop=shop, kind=ObjectKind.TAG, object_id=object_id_of(said.customer_id, tag), changed_at=at)
    }
    if not newest:
        return Put(reason=OLDER)
    named = {IdentifierKind.EXTERNAL_ID.value: said.customer_id}
    found = customer_services.identify(project=shop.project, identifiers=named, evidence=Evidence.IMPORT, now=now)
    before = found.identifier.attributes.get("tags")
    held = {tag for tag in before if isinstance(tag, str)} if isinstance(before, list) else set()
    after = held | newest if said.is_added else held - newest
    if after == held:
        return Put(found.identifier, reason="These tags are known already.")
    customer_services.identify(
        project=shop.project,
        identifiers=named,
        attributes={"tags": sorted(after) or None},
        evidence=Evidence.IMPORT,
        now=now,
    )
    return Put(found.identifier, True)


def put_consent(*, shop: ShopConnection, said: ShopConsent, come_at: datetime, now: datetime) -> Put:
    """
    Record what a customer said about marketing by e-mail, with when and how.

    :raises NothingToDo: if nothing was said for or against.
    """
    if said.is_granted is None:
        raise NothingToDo("Nothing was agreed to or refused.")
    return _record_consent(shop, said, said.said_at or come_at, now)


def _record_consent(shop: ShopConnection, said: ShopConsent, at: datetime, now: datetime) -> Put:
    values = list(normalise_all(said.identifiers).values())
    told = ConsentChange.objects.filter(
        identifier__project=shop.project,
        identifier__value__in=values,
        channel=Channel.EMAIL,
        topic=Topic.MARKETING,
        is_granted=bool(said.is_granted),
        occurred_at=min(at, now),
    ).select_related("identifier")
    if (known := told.first()) is not None:
        return Put(known.identifier, reason="This is known already.")
    customer = customer_services.record_consent(
        project=shop.project,
        identifiers=said.identifiers,
        granted=bool(said.is_granted),
        source=f"{SYSTEM} ({said.level})" if said.level else SYSTEM,
        occurred_at=at,
        now=now,
    )
    return Put(Identifier.objects.filter(customer=customer, value__in=values).first(), True)


# --- What they ask for by law ---------------------------------------------------------------------------------------


def note_data_request(
    *, shop: ShopConnection, said: PrivacyDemand, reference: str, come_at: datetime, now: datetime
) -> Put:
    """Make a task of a customer's wish to have their data; of whom we know nothing it is done with that answer."""
    found = _known(shop, said)
    is_known = found is not None
    request = PrivacyRequest(
        shop=shop,
        kind=PrivacyKind.DATA_REQUEST,
        reference=said.request_id or reference,
        identifier=found,
        received_at=come_at,
        due_at=come_at + timedelta(days=PRIVACY_DAYS),
        done_at=None if is_known else now,
        note="" if is_known else "Nothing was stored of this person.",
    )
    PrivacyRequest.objects.bulk_create([request], ignore_conflicts=True)
    return Put(found, True)


@transaction.atomic
def erase_on_request(
    *, shop: ShopConnection, said: PrivacyDemand, reference: str, come_at: datetime, now: datetime
) -> int:
    """
    Erase everybody whom the request names, remember that for ever, and return how many profiles that were.

    They are out of reach when this returns; a long history is left to the workers, since the webhook's transaction must
    not last as long as that takes.
    """
    named = _named_by(normalise_all(said.identifiers), "identifiers__")
    found = Customer.objects.filter(named, project=shop.project).distinct()
    erased = [
        customer_services.begin_erasure(customer=customer, by=SYSTEM, now=now) for customer in found.order_by("pk")
    ]
    # After the erasures, whose tombstones are lifted together when the person agrees again.
    customer_services.bury_identifiers(project=shop.project, identifiers=said.identifiers, now=now)
    note = "Nothing was stored of this person."
    if erased:
        profiles = "1 profile is" if len(erased) == 1 else f"{len(erased)} profiles are"
        note = f"{profiles} erased; the page “Erasures” says what was deleted."
    request = PrivacyRequest(
        shop=shop,
        kind=PrivacyKind.CUSTOMER_ERASURE,
        reference=reference,
        received_at=come_at,
        due_at=come_at + timedelta(days=PRIVACY_DAYS),
        done_at=now,
        note=note,
    )
    PrivacyRequest.objects.bulk_create([request], ignore_conflicts=True)
    return len(erased)


def note_shop_erasure(*, shop: ShopConnection, reference: str, come_at: datetime) -> None:
    """Make a task of the erasure of a shop's customers: a person starts it, since nothing brings them back."""
    request = PrivacyRequest(
        shop=shop,
        kind=PrivacyKind.SHOP_ERASURE,
        reference=reference,
        received_at=come_at,
        due_at=come_at + timedelta(days=PRIVACY_DAYS),
    )
    PrivacyRequest.objects.bulk_create([request], ignore_conflicts=True)


def refuse_erased(*, shop: ShopConnection, identifiers: dict[str, str]) -> None:
    """
    Do nothing, unless these identifiers name somebody who was erased.

    :raises ErasedIdentifier: if they do.
    """
    try:
        keys = [Key(kind, value) for kind, value in normalise_all(identifiers).items()]
    except InvalidIdentifier:
        return
    for key in tombstones.erased_among(project=shop.project, keys=keys):
        raise ErasedIdentifier(key.kind)


def finish_request(*, request: PrivacyRequest, by: str, now: datetime) -> bool:
    """Note that a request was answered, and say whether it was open."""
    return PrivacyRequest.objects.filter(pk=request.pk, done_at=None).update(done_at=now, done_by=by[:150]) > 0


def _known(shop: ShopConnection, said: PrivacyDemand) -> Identifier | None:
    usable = normalise_all(said.identifiers)
    rows = Identifier.objects.filter(_named_by(usable), project=shop.project)
    return min(rows, key=lambda one: list(usable).index(one.kind), default=None)


def _named_by(identifiers: Mapping[str, str], path: str = "") -> Q:
    """Return the condition that an identifier, at the end of a path, is one of these; for none of them it is nobody's."""
    condition = Q(pk__in=())
    for kind, value in identifiers.items():
        condition |= Q(**{f"{path}kind": kind, f"{path}value": value})
    return condition
