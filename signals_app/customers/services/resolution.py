"""Who is who: from identifiers seen together to customers."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from signals_app.core.bulk import change_rows, look_up, write_rows
from signals_app.core.models import new_id
from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS, Evidence
from signals_app.customers.exceptions import (
    ErasedIdentifier,
    IdentityKeepsMoving,
    InvalidInput,
    InvalidValue,
)
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import JoinPlan, Key, Pointer, Seen, Standing, plan_joins
from signals_app.customers.models import Customer, Identifier
from signals_app.customers.services import joined, links, tombstones
from signals_app.customers.services.locks import MAX_ROUNDS, customers_of, lock_customers, still_owners
from signals_app.customers.services.profile_copies import (
    TIME_ZONE_ATTRIBUTE,
    Said,
    copy_from_identifiers,
    refresh_copies,
)
from signals_app.customers.services.sightings import Sighting, attributes_of, note_consents, note_seen, usable
from signals_app.projects.models import Project, validate_time_zone


@dataclass
class Resolution:
    """`identifiers` has the strongest identifier of each sighting by its reference, `.customer` loaded."""

    identifiers: dict[str, Identifier] = field(default_factory=dict)
    created: set[uuid.UUID] = field(default_factory=set)
    conflicted: set[str] = field(default_factory=set)
    grown: set[uuid.UUID] = field(default_factory=set)
    """Customers that were there and have a further identifier now, or those of another."""
    fresh: set[int] = field(default_factory=set)
    """Identifiers that are new."""
    held: dict[int, Customer] = field(default_factory=dict)
    """The owners of `holding`, by identifier, without those who are being erased."""


@dataclass(frozen=True)
class IdentifyResult:
    customer: Customer
    status: Literal["created", "linked", "conflict"]
    identifier: Identifier


class _Moved(Exception):
    """Another transaction was faster: look again."""


def resolve(*, project: Project, sightings: Sequence[Sighting], now: datetime) -> dict[str, Identifier]:
    """
    Return the strongest identifier of each sighting by its reference, creating and joining customers as needed.

    Takes the caller's transaction or its own, a fixed number of queries for any number of sightings, and leaves the
    customers locked. A sighting that has no usable identifier (none, invalid or erased ones) is not in the answer.
    Customers that were seen together are joined: pointers move, the facets' `merge` runs, the emptied one goes.

    :raises IdentityKeepsMoving: if other transactions kept changing the same identifiers; try again later.
    """
    return resolve_fully(project=project, sightings=sightings, now=now).identifiers


@transaction.atomic
def resolve_fully(
    *, project: Project, sightings: Sequence[Sighting], holding: Collection[int] = (), now: datetime
) -> Resolution:
    """
    Do what `resolve` does, and also say what was created and what contradicts itself.

    `holding`: identifiers whose customers are locked with the others, in one order, although nobody has seen them.
    """
    seen = usable(project, sightings)
    if not (seen or holding):
        return Resolution()
    said = {one.reference: one for one in sightings}
    for _ in range(MAX_ROUNDS):
        try:
            # A savepoint, so that looking again lets go of the locks taken and keeps to their order.
            with transaction.atomic():
                return _resolve_once(project, seen, said, holding, now)
        except _Moved:
            continue
    raise IdentityKeepsMoving(f"{len(seen)} sightings could not be resolved in {MAX_ROUNDS} rounds.")


@transaction.atomic
def identify(
    *,
    project: Project,
    identifiers: dict[str, Any],
    attributes: dict[str, Any] | None = None,
    time_zone: str | None = None,
    evidence: str = Evidence.IDENTIFY,
    now: datetime,
) -> IdentifyResult:
    """
    Say that these identifiers are one person's, and what is known of that person.

    `attributes` are kept on the strongest identifier, key by key; a None takes a key away. What is already stored
    under any of the identifiers follows by itself. `evidence` other than the default: the shopper is not in the shop now.

    :raises InvalidInput: if an identifier or the time zone cannot be used, or there is no identifier at all.
    """
    said = dict(attributes or {})
    if time_zone or TIME_ZONE_ATTRIBUTE in said:
        said[TIME_ZONE_ATTRIBUTE] = _checked_time_zone(time_zone or said[TIME_ZONE_ATTRIBUTE])
    known = {key: value for key, value in said.items() if value is not None}
    resolution = resolve_one(project=project, identifiers=identifiers, evidence=evidence, attributes=known, now=now)
    identifier = resolution.identifiers[""]
    if said and identifier.pk not in resolution.fresh:
        merged = {key: value for key, value in (identifier.attributes | said).items() if value is not None}
        identifier.attributes = merged
        identifier.save(update_fields=["attributes"])
        refresh_copies({identifier.customer_id: identifier.customer}, now=now)
    if resolution.conflicted:
        return IdentifyResult(identifier.customer, "conflict", identifier)
    is_created = identifier.customer_id in resolution.created
    return IdentifyResult(identifier.customer, "created" if is_created else "linked", identifier)


def _checked_time_zone(said: Any) -> str | None:
    try:
        if said is not None:
            validate_time_zone(said)
    except (ValidationError, TypeError) as error:
        raise InvalidValue("timezone", f"“{str(said)[:64]}” is not a time zone.") from error
    return None if said is None else str(said)


def resolve_one(
    *,
    project: Project,
    identifiers: dict[str, Any],
    evidence: str,
    reference: str = "",
    holding: Collection[int] = (),
    now: datetime,
    **said: Any,
) -> Resolution:
    """
    Resolve one sighting strictly: what cannot be used is an error, not left out. The answer's key is `reference`.

    `said`: what else a `Sighting` has to say. `holding`: as of `resolve_fully`.

    :raises InvalidInput: naming the identifier that cannot be used.
    """
    given = normalise_all(identifiers)
    if not given:
        raise InvalidInput("identifiers", f"Give at least one of: {', '.join(KINDS_BY_STRENGTH)}.")
    sighting = Sighting(reference, given, evidence, **said)
    resolution = resolve_fully(project=project, sightings=[sighting], holding=holding, now=now)
    if reference not in resolution.identifiers:
        keys = [Key(kind, value) for kind, value in given.items()]
        erased = tombstones.erased_among(project=project, keys=keys)
        raise ErasedIdentifier(next((key.kind for key in keys if key in erased), keys[0].kind))
    return resolution


def _resolve_once(
    project: Project, seen: list[Seen], said: Mapping[str, Sighting], holding: Collection[int], now: datetime
) -> Resolution:
    keys = {key for one in seen for key in one.keys}
    existing, held = _pointers(project, keys), customers_of(holding)
    locked = lock_customers([*(pointer.customer_id for pointer in existing.values()), *held.values()])
    existing, owners = _reread(existing, held, locked)
    plan = _plan(seen, keys, existing, locked)
    missing = sorted(plan.customer_of.keys() - existing.keys())
    attributes = attributes_of(seen, said, missing)
    created = _new_customers(project, plan, {key: attributes.get(key, {}) for key in missing}, now)
    note_seen(plan, seen, created, now)
    note_consents(plan, seen, said, created)
    _create_customers(created)
    customers = locked | created
    fresh = _create_identifiers(project, plan, missing, attributes)
    known = existing | fresh
    links.record_links(project, plan, known, fresh.keys())
    if plan.gone:
        joined.move_pointers(plan.gone)
        joined.take_over(plan.gone, customers)
    # Another browser or visit changes no copy; a name of the person does, and so does all that a merge brings.
    telling = [key for key in fresh if key.kind in KNOWN_KINDS or attributes.get(key)]
    renamed = {plan.customer_of[key] for key in telling} | set(plan.gone.values())
    refresh_copies({pk: customers[pk] for pk in sorted(renamed - plan.created)}, now=now)
    if plan.gone:
        joined.end_customers(project, joined.ended(plan.gone, existing.values()), customers, now)
    _save_last_seen(note_seen(plan, seen, customers, now).values(), now)
    anchors = {
        key: _identifier(project, key, known[key], customers[plan.customer_of[key]])
        for key in {one.keys[0] for one in seen}
    }
    grown = ({plan.customer_of[key] for key in fresh} | set(plan.gone.values())) - plan.created
    return Resolution(
        identifiers={one.reference: anchors[one.keys[0]] for one in seen},
        created=plan.created,
        conflicted=plan.conflicted,
        grown=grown,
        fresh={pointer.pk for pointer in fresh.values()},
        held={pk: customers[plan.gone.get(owner.pk, owner.pk)] for pk, owner in owners.items()},
    )


def _plan(
    seen: list[Seen], keys: set[Key], existing: Mapping[Key, Pointer], locked: Mapping[uuid.UUID, Customer]
) -> JoinPlan:
    plan_with = partial(
        plan_joins,
        seen,
        pointers={key: pointer.customer_id for key, pointer in existing.items()},
        customers={
            pk: Standing(bool(one.email or one.external_id), bool(one.external_id)) for pk, one in locked.items()
        },
        links_to_stronger=links.count_links_to_stronger(seen, existing),
        new_ids={key: new_id() for key in sorted(keys - existing.keys())},
    )
    plan = plan_with()
    # Only where customers that exist would be joined can a person have said that they are not to be.
    if plan.gone and links.kept_apart(plan.gone.keys() | set(plan.gone.values())):
        plan = plan_with(apart=links.kept_apart(locked))
    return plan


def _pointers(project: Project, keys: Collection[Key]) -> dict[Key, Pointer]:
    """Return those of the identifiers that exist, each with its customer."""
    found: dict[Key, Pointer] = {}
    for kind in sorted({key.kind for key in keys}):
        stored = look_up(
            Identifier,
            where={"project_id": project.pk, "kind": kind},
            key="value",
            values=[key.value for key in keys if key.kind == kind],
            fields=("value", "id", "customer_id"),
        )
        for value, *pointer in stored:
            found[Key(kind, value)] = Pointer(*pointer)
    return found


def _reread(
    existing: dict[Key, Pointer], held: Mapping[int, uuid.UUID], locked: Mapping[uuid.UUID, Customer]
) -> tuple[dict[Key, Pointer], dict[int, Customer]]:
    """
    Return the pointers, and the owners of what is held, as they are under the lock.

    Whoever moves one holds the lock of its customer.
    """
    customer_of = {pointer.pk: pointer.customer_id for pointer in existing.values()} | dict(held)
    if connection.features.has_select_for_update:  # SQLite: ours is the only transaction that writes since it began
        customer_of = customers_of(customer_of.keys())
    owners = still_owners(held, {pk: customer_of[pk] for pk in held if pk in customer_of}, locked)
    there = {key: pointer.pk for key, pointer in existing.items() if pointer.pk in customer_of}
    if owners is None or not locked.keys() >= {customer_of[pk] for pk in there.values()}:
        raise _Moved  # or of somebody who is being erased, whose many IDs have not all got their tombstones yet
    return {key: Pointer(pk, customer_of[pk]) for key, pk in there.items()}, owners


def _identifier(project: Project, key: Key, pointer: Pointer, customer: Customer) -> Identifier:
    """Return a stored identifier with its customer; what else it holds is read when somebody asks."""
    columns = ("id", "project_id", "customer_id", "kind", "value")
    identifier = Identifier.from_db(None, columns, (pointer.pk, project.pk, customer.pk, key.kind, key.value))
    # As the attribute would, whose checks take longer than all the rest; the ids are right already.
    Identifier.customer.field.set_cached_value(identifier, customer)
    return identifier


def _new_customers(
    project: Project, plan: JoinPlan, missing: Mapping[Key, Mapping[str, Any]], now: datetime
) -> dict[uuid.UUID, Customer]:
    """Return the customers that begin, with the copies of what their identifiers say; `missing`: {key: attributes}."""
    of_customer: dict[uuid.UUID, list[Said]] = {pk: [] for pk in sorted(plan.created)}
    for key, attributes in missing.items():
        if plan.customer_of[key] in of_customer:
            of_customer[plan.customer_of[key]].append(Said(key.kind, key.value, attributes))
    columns = [column.attname for column in Customer._meta.concrete_fields]
    empty = Customer(project=project, created_at=now, updated_at=now)
    shared = [getattr(empty, name) for name in columns]  # with the id in front
    fresh = {}
    for pk, said in of_customer.items():
        fresh[pk] = Customer.from_db(None, columns, [pk, *shared[1:]])
        Customer.project.field.set_cached_value(fresh[pk], project)
        copy_from_identifiers(fresh[pk], said)
    return fresh


def _create_customers(fresh: Mapping[uuid.UUID, Customer]) -> None:
    columns = Customer._meta.concrete_fields
    write_rows(
        Customer,
        fields=[column.name for column in columns],
        rows=map(attrgetter(*(column.attname for column in columns)), fresh.values()),
    )


def _create_identifiers(
    project: Project, plan: JoinPlan, missing: Sequence[Key], attributes: Mapping[Key, dict[str, Any]]
) -> dict[Key, Pointer]:
    # Sorted, so that two transactions that create the same ones wait in the same order. Where the other was faster,
    # nothing is inserted, and the pointer read back is not the one planned: then all is looked at again.
    write_rows(
        Identifier,
        fields=("project", "customer", "kind", "value", "attributes"),
        rows=((project.pk, plan.customer_of[key], key.kind, key.value, attributes.get(key, {})) for key in missing),
        unique=("project", "kind", "value"),
    )
    created = _pointers(project, missing)
    if any(key not in created or created[key].customer_id != plan.customer_of[key] for key in missing):
        raise _Moved
    return created


def _save_last_seen(customers: Iterable[Customer], now: datetime) -> None:
    change_rows(
        Customer,
        key="id",
        fields=("last_seen_at", "updated_at"),
        rows=((customer.pk, customer.last_seen_at, now) for customer in customers),
    )
