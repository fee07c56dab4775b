"""
The copies that a customer keeps of what is known of it, for lists and search.

Note [Copies]

Some say what the identifiers themselves say (`COPIED_FIELDS`), some what the rows say that point at identifiers: the
marketing consent, and whether there is an order (`COPIED_FROM_ROWS`). A copy changes only under the customer's lock, in
the transaction that changes what it is a copy of. So it is true for whoever reads it under the lock, and what is known
of two customers that become one follows from their copies alone (`joined.take_over`).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from signals_app.core.bulk import change_rows, look_up
from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS, Channel, IdentifierKind, OrderState, Topic
from signals_app.customers.models import Consent, Customer, Identifier, Order
from signals_app.customers.services.owners import owners_of

COPIED_FIELDS = ("email", "external_id", "name", "attributes", "time_zone")
COPIED_FROM_ROWS = ("marketing_consent", "has_ordered")
TIME_ZONE_ATTRIBUTE = "time_zone"
_SAVED = (*COPIED_FIELDS, *COPIED_FROM_ROWS, "last_seen_at", "updated_at")


def refresh_copies(customers: Mapping[uuid.UUID, Customer], *, now: datetime) -> None:
    """
    Rebuild the copies of these (locked) customers from their identifiers, in two queries.

    Saves `last_seen_at`, `marketing_consent` and `has_ordered` too, as the caller has set them, or as they were read.
    """
    if not customers:
        return
    of_customer: dict[uuid.UUID, list[Said]] = defaultdict(list)
    stored = look_up(
        Identifier,
        where={},
        key="customer",
        values=customers,
        fields=("customer", "kind", "value", "attributes", "id"),
        is_unique=False,
    )
    for customer_id, kind, value, attributes, pk in stored:
        if kind in KNOWN_KINDS or attributes:  # of a shopper's hundreds of visits nothing was said
            of_customer[customer_id].append(Said(kind, value, attributes, pk))
    for customer in customers.values():
        copy_from_identifiers(customer, of_customer[customer.id])
        customer.updated_at = now
    change_rows(Customer, key="id", fields=_SAVED, rows=map(attrgetter("id", *_SAVED), customers.values()))


class Said(NamedTuple):
    """What an identifier that is about to be stored says of its customer."""

    kind: str
    value: str
    attributes: Mapping[str, Any] = {}
    pk: int = 0


def copy_from_identifiers(customer: Customer, identifiers: Iterable[Identifier | Said]) -> None:
    """
    Set the copies on a customer, without saving it.

    Of two e-mail addresses or customer IDs, the one that came last is current. Of two values of an attribute, the
    one said of the stronger identifier.
    """
    weakest_first = sorted(identifiers, key=lambda one: (-KINDS_BY_STRENGTH.index(one.kind), one.pk or 0))
    latest = {identifier.kind: identifier.value for identifier in weakest_first}
    attributes: dict[str, Any] = {}
    for identifier in weakest_first:
        attributes |= identifier.attributes
    customer.email = latest.get(IdentifierKind.EMAIL, "")
    customer.external_id = latest.get(IdentifierKind.EXTERNAL_ID, "")
    customer.time_zone = str(attributes.pop(TIME_ZONE_ATTRIBUTE, "") or "")
    customer.name = _name(attributes)
    customer.attributes = attributes


def _name(attributes: Mapping[str, Any]) -> str:
    parts = (
        [attributes.get("name")]
        if attributes.get("name")
        else [
            attributes.get("first_name"),
            attributes.get("last_name"),
        ]
    )
    return " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())[:200]


# --- Copies of what rows say that point at identifiers. Note [Copies] ------------------------------------------------


def agreed(answers: Iterable[bool | None]) -> bool | None:
    """Return what answers come to: the no, where they disagree; None if there is none."""
    said = {answer for answer in answers if answer is not None}
    return False not in said if said else None


def note_copies(
    field: str, values: Mapping[uuid.UUID, bool | None], customers: Mapping[uuid.UUID, Customer], *, now: datetime
) -> None:
    """Set one of `COPIED_FROM_ROWS` of (locked) customers, in one statement; in none if all say so already."""
    changed = [customers[pk] for pk, value in values.items() if getattr(customers[pk], field) is not value]
    for customer in changed:
        setattr(customer, field, values[customer.pk])
        customer.updated_at = now
    change_rows(
        Customer,
        key="id",
        fields=(field, "updated_at"),
        rows=map(attrgetter("id", field, "updated_at"), changed),
    )


def copy_from_rows(customers: Mapping[uuid.UUID, Customer]) -> None:
    """Set `COPIED_FROM_ROWS` of (locked) customers as the rows say it, without saving them."""
    owners = owners_of(customers)
    said: dict[uuid.UUID, list[bool]] = defaultdict(list)
    for pk, is_granted in look_up(
        Consent,
        where={"channel": Channel.EMAIL.value, "topic": Topic.MARKETING.value},
        key="identifier",
        values=owners,
        fields=("identifier", "is_granted"),
    ):
        said[owners[pk]].append(is_granted)
    have_ordered = customers_with_orders(owners)
    for customer_id, customer in customers.items():
        customer.marketing_consent = agreed(said[customer_id])
        customer.has_ordered = customer_id in have_ordered


def customers_with_orders(owners: Mapping[int, uuid.UUID]) -> set[uuid.UUID]:
    """Return which of these owners, {identifier: customer}, have an order that was not cancelled."""
    orders = look_up(Order, where={}, key="identifier", values=owners, fields=("identifier", "state"), is_unique=False)
    return {owners[pk] for pk, state in orders if state != OrderState.CANCELLED}
