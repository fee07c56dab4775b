"""
Lists of profiles, consents and orders, stored many rows at a time.

The same rules as one by one (`identify`, `record_consent`, `record_order`), in a number of statements that does not
depend on the number of rows. A row that says what is known changes nothing, so the same list again changes nothing. An
import never brings back a person who was erased: a list may be older than the erasure, whatever its dates say.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from signals_app.core.bulk import Merge, change_rows, look_up, write_rows
from signals_app.core.models import new_id
from signals_app.customers.constants import Channel, Evidence, OrderState, Topic
from signals_app.customers.import_rows import NO_PERSON, ConsentRow, OrderRow, ProfileRow
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.customers.services import consent_answers, tombstones
from signals_app.customers.services.consent_answers import Answer, Purpose, Said
from signals_app.customers.services.orders import note_orders
from signals_app.customers.services.profile_copies import refresh_copies
from signals_app.customers.services.resolution import Resolution, resolve_fully
from signals_app.customers.services.sightings import Sighting
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.transfers.kinds import ImportContext, Row, Stored

ERASED = "This person was erased and is not brought back by an import."


def _without_erased(context: ImportContext, rows: Sequence[Row], stored: Stored) -> list[Row]:
    erased = tombstones.erased_among(project=context.project, keys={key for row in rows for key in row.value.keys})
    if not erased:
        return list(rows)
    kept = []
    for row in rows:
        if erased.isdisjoint(row.value.keys):
            kept.append(row)
        else:
            stored.refused.append((row.number, "", ERASED))
    return kept


def _resolved(
    context: ImportContext,
    rows: Iterable[Row],
    *,
    says: Callable[[Any], dict[str, Any]] = lambda value: {},
    holding: Collection[int] = (),
) -> tuple[dict[int, Identifier], Resolution]:
    """
    Return the strongest identifier of each row by its number; the customers are locked.

    `says` returns what else a sighting has to say of a row's value.
    """
    sightings = [
        Sighting(f"{context.reference}:{row.number}", dict(row.value.keys), Evidence.IMPORT, **says(row.value))
        for row in rows
    ]
    resolution = resolve_fully(project=context.project, sightings=sightings, holding=holding, now=context.now)
    anchors = {
        int(reference.rpartition(":")[2]): identifier for reference, identifier in resolution.identifiers.items()
    }
    return anchors, resolution


# --- Profiles -------------------------------------------------------------------------------------------------------


@transaction.atomic
def import_profiles(context: ImportContext, rows: Sequence[Row]) -> Stored:
    """Store who people are and what is said of them; an empty cell takes nothing away."""
    stored = Stored()
    rows = _without_erased(context, rows, stored)
    anchors, resolution = _resolved(context, rows, says=lambda profile: {"attributes": profile.attributes})
    known = {identifier.pk for identifier in anchors.values()} - resolution.fresh
    before = _attributes_of(known)
    attributes = {pk: dict(said) for pk, said in before.items()} | {pk: {} for pk in resolution.fresh}
    counted: set[uuid.UUID] = set()
    for row in rows:
        profile: ProfileRow = row.value
        identifier = anchors[row.number]
        said = attributes[identifier.pk]
        is_news = any(said.get(name) != value for name, value in profile.attributes.items())
        said.update(profile.attributes)
        _count(stored, identifier.customer_id, resolution, counted, is_news)
    changed = [pk for pk in known if attributes[pk] != before[pk]]
    change_rows(Identifier, key="id", fields=("attributes",), rows=((pk, attributes[pk]) for pk in changed))
    customer_of: dict[int, Customer] = {one.pk: one.customer for one in anchors.values()}
    refresh_copies({customer_of[pk].pk: customer_of[pk] for pk in changed}, now=context.now)
    return stored


def _count(
    stored: Stored, customer_id: uuid.UUID, resolution: Resolution, counted: set[uuid.UUID], is_news: bool
) -> None:
    is_first = customer_id not in counted
    counted.add(customer_id)
    if is_first and customer_id in resolution.created:
        stored.created += 1
    elif is_news or (is_first and customer_id in resolution.grown):
        stored.updated += 1
    else:
        stored.unchanged += 1


def _attributes_of(pks: Iterable[int]) -> dict[int, dict[str, Any]]:
    found = look_up(Identifier, where={}, key="id", values=sorted(pks), fields=("id", "attributes"))
    return {pk: said if isinstance(said, dict) else {} for pk, said in found}


# --- Consents -------------------------------------------------------------------------------------------------------


@transaction.atomic
def import_consents(context: ImportContext, rows: Sequence[Row]) -> Stored:
    """
    Store what people said, each with its proof, and let it hold unless something later was said.

    The history keeps where, when and in which words, and the hash of the file that told of it.
    """
    stored = Stored()
    rows = _without_erased(context, rows, stored)
    anchors, resolution = _resolved(context, rows, says=_says_of_marketing)
    # Whoever is new has said nothing yet.
    asked = [one for one in anchors.values() if one.customer_id not in resolution.created]
    known = consent_answers.history_of({identifier.pk for identifier in asked})
    answers = consent_answers.answers_of({identifier.customer_id for identifier in asked})
    holding: dict[tuple[int, Purpose], Answer] = {}
    history: list[Said] = []
    customers: dict[uuid.UUID, Customer] = {}
    for row in rows:
        consent: ConsentRow = row.value
        identifier = anchors[row.number]
        purpose = (Channel.EMAIL.value, consent.topic)
        answer = Answer(consent.is_granted, consent.source, consent.wording, consent.occurred_at)
        said = Said(identifier.pk, purpose, answer)
        if said in known:
            stored.unchanged += 1
            continue
        known.add(said)
        history.append(said)
        customers[identifier.customer_id] = identifier.customer
        of_person = answers[identifier.customer_id, purpose]
        if of_person:
            stored.updated += 1
        else:
            stored.created += 1
        for pk in consent_answers.apply(of_person, identifier.pk, answer):
            holding[pk, purpose] = answer
    consent_answers.write_history(history, evidence=context.evidence[:200], now=context.now)
    consent_answers.write_answers(holding)
    consent_answers.note_marketing(customers, answers, now=context.now)
    fact_services.record(
        project=context.project, kind=FactKind.CONSENT_CHANGED, subject_ids=[str(pk) for pk in customers]
    )
    return stored


def _says_of_marketing(consent: ConsentRow) -> dict[str, Any]:
    return {"marketing_consent": consent.is_granted} if consent.topic == Topic.MARKETING else {}


# --- Orders ---------------------------------------------------------------------------------------------------------


class _Known(NamedTuple):
    pk: uuid.UUID
    identifier_id: int
    state: str
    total: Decimal
    refunded_total: Decimal
    currency: str
    country: str
    placed_at: datetime


ORDER_COLUMNS = ("state", "total", "refunded_total", "currency", "country", "placed_at")


@transaction.atomic
def import_orders(context: ImportContext, rows: Sequence[Row]) -> Stored:
    """Store orders, or what became of them; a known order keeps its shopper, its items and what the list does not say."""
    stored = Stored()
    known = _orders_of(context, {row.value.order_id for row in rows})
    rows = [row for row in _without_erased(context, rows, stored) if _has_person(row, known, stored)]
    held = {order.identifier_id for order in known.values()}
    anchors, resolution = _resolved(context, [row for row in rows if row.value.keys], holding=held)
    changed: dict[str, _Known] = {}
    for row in rows:
        order: OrderRow = row.value
        before = known.get(order.order_id)
        anchor = before.identifier_id if before else anchors[row.number].pk
        after = _after(order, before, anchor)
        if after.refunded_total > after.total:
            stored.refused.append((row.number, "refunded_total", "More than the total."))
        elif after == before:
            stored.unchanged += 1
        else:
            known[order.order_id] = changed[order.order_id] = after
            stored.created += before is None
            stored.updated += before is not None
    written = _write_orders(context, changed)
    owners = {one.pk: one.customer for one in anchors.values()} | resolution.held
    note_orders(((order.identifier_id, order.state) for order in written), owners, now=context.now)
    return stored


def _has_person(row: Row, known: Mapping[str, _Known], stored: Stored) -> bool:
    if row.value.keys or row.value.order_id in known:
        return True
    stored.refused.append((row.number, "", NO_PERSON))
    return False


def _after(order: OrderRow, before: _Known | None, anchor: int) -> _Known:
    state = order.state or (before.state if before else OrderState.PLACED.value)
    refunded = order.refunded_total
    if refunded is None:
        is_newly_refunded = state == OrderState.REFUNDED and (before is None or before.state != state)
        refunded = order.total if is_newly_refunded else (before.refunded_total if before else Decimal("0.00"))
    country = order.country if order.country is not None else (before.country if before else "")
    said = {
        "state": state,
        "total": order.total,
        "refunded_total": refunded,
        "currency": order.currency,
        "country": country,
        "placed_at": order.placed_at,
    }
    return _Known(before.pk if before else new_id(), anchor, **said)  # type: ignore[arg-type]


def _orders_of(context: ImportContext, order_ids: Iterable[str]) -> dict[str, _Known]:
    rows = look_up(
        Order,
        where={"project": context.project.pk},
        key="order_id",
        values=sorted(order_ids),
        fields=("order_id", "id", "identifier", *ORDER_COLUMNS),
    )
    return {order_id: _Known(*order) for order_id, *order in rows}


def _write_orders(context: ImportContext, changed: Mapping[str, _Known]) -> list[_Known]:
    now, project = context.now, context.project
    write_rows(
        Order,
        fields=("id", "identifier", *ORDER_COLUMNS, "project", "order_id", "items", "created_at", "updated_at"),
        rows=((*order, project.pk, order_id, [], now, now) for order_id, order in sorted(changed.items())),
        unique=("project", "order_id"),
        merge=dict.fromkeys((*ORDER_COLUMNS, "updated_at"), Merge.REPLACE),
    )
    # Another import may have made one of them meanwhile, under an id of its own.
    stored = _orders_of(context, changed)
    fact_services.record(
        project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(order.pk) for order in stored.values()]
    )
    return list(stored.values())
