"""The copies that a customer keeps of what its identifiers say, for lists and search."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from signals_app.core.bulk import change_rows, look_up
from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS, IdentifierKind
from signals_app.customers.models import Customer, Identifier

COPIED_FIELDS = ("email", "external_id", "name", "attributes", "time_zone")
TIME_ZONE_ATTRIBUTE = "time_zone"


def refresh_copies(customers: Mapping[uuid.UUID, Customer], *, now: datetime) -> None:
    """
    Rebuild the copies of these (locked) customers from their identifiers, in two queries.

    Saves `last_seen_at` too, as the caller has set it.
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
    change_rows(
        Customer,
        key="id",
        fields=(*COPIED_FIELDS, "last_seen_at", "updated_at"),
        rows=map(attrgetter("id", *COPIED_FIELDS, "last_seen_at", "updated_at"), customers.values()),
    )


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
