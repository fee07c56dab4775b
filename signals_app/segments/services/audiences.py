"""Audiences: who a tree of conditions holds for, and the values it asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from signals_app.core.time_limit import TookTooLong, time_limit
from signals_app.customers.models import LAST_SEEN_FIRST, Customer
from signals_app.projects.models import Project
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import Node
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.segments.models import Segment
from signals_app.segments.services.sampling import count_profiles, sample_of

COUNT_SECONDS = 0.8
"""Longer a person at the keyboard does not wait for one number."""

ESTIMATE_SECONDS = 3.0
LOOKED_THROUGH = 200

_ANNOTATION = "field_{}"
"""Keeps an annotation from colliding with a column of Customer."""


@dataclass(frozen=True)
class AudienceSample:
    """How many profiles a tree holds for, and the first few of them; not exact: estimated from a sample."""

    count: int
    customers: list[Customer]
    is_exact: bool = True


def profile_values(
    *, customer_ids: Collection[UUID], names: Collection[str] | None = None, now: datetime
) -> dict[UUID, dict[str, Any]]:
    """
    Return {customer id: {field name: value}} for profile fields, unknown values being None (lists: empty).

    `names` limits the fields, and so the work; None means all. Customers that do not exist are absent.
    A few queries whatever the number of customers: one for all single values, one per field that has a `read`.

    :raises UnknownField: if a name is not in the catalogue.
    """
    catalogue = fields.fields(Scope.PROFILE)
    wanted = list(catalogue.values()) if names is None else [fields.field(Scope.PROFILE, name) for name in names]
    if not customer_ids:
        return {}
    values = _single_values(customer_ids, [field for field in wanted if field.read is None], now)
    for field in wanted:
        if field.read is not None:
            read = field.read(customer_ids, now)
            for customer_id, found in values.items():
                found[field.name] = read.get(customer_id, [] if field.type is FieldType.LIST else None)
    return values


def _single_values(customer_ids: Collection[UUID], wanted: list[Field], now: datetime) -> dict[UUID, dict[str, Any]]:
    annotations = {_ANNOTATION.format(field.name): field.at(now) for field in wanted}
    rows = Customer.objects.filter(pk__in=customer_ids).annotate(**annotations).values("pk", *annotations)
    return {
        row["pk"]: {field.name: row[_ANNOTATION.format(field.name)] for field in wanted} for row in rows.order_by("pk")
    }


def _node(project: Project, tree: Any) -> Node:
    return conditions.parse(tree, fields.fields(Scope.PROFILE), zone=ZoneInfo(project.time_zone))


def matching_customers(*, project: Project, tree: Any, now: datetime) -> QuerySet[Customer]:
    """
    Return the profiles of a store for which the tree holds at `now`; each appears once.

    :raises InvalidCondition: if the tree is not one of the grammar.
    """
    node = _node(project, tree)
    return Customer.objects.filter(conditions.to_q(node, now=now), project=project)


def count_and_sample(
    *,
    project: Project,
    tree: Any,
    now: datetime,
    limit: int = 10,
    sampled: Mapping[UUID, Mapping[str, Any]] | None = None,
) -> AudienceSample:
    """
    Return how many profiles the tree holds for and the `limit` last seen of them, within a few seconds at worst.

    What the database cannot count in `COUNT_SECONDS` is estimated from a sample, and the answer says so. `sampled`
    holds the values of the sample, if somebody has read them already.

    :raises InvalidCondition: if the tree is not one of the grammar.
    :raises TookTooLong: if not even the sample could be read, in a database with its hands full.
    """
    node = _node(project, tree)
    count, is_exact = _count(project, node, now, sampled)
    customers = _among_last_seen(project, node, now, limit)
    if len(customers) < limit and count > len(customers):
        with suppress(TookTooLong), time_limit(COUNT_SECONDS):
            customers = list(matching_customers(project=project, tree=tree, now=now).order_by(*LAST_SEEN_FIRST)[:limit])
    return AudienceSample(count, customers, is_exact)


def _count(
    project: Project, node: Node, now: datetime, sampled: Mapping[UUID, Mapping[str, Any]] | None
) -> tuple[int, bool]:
    """Return how many profiles the tree holds for, and whether that was counted and not estimated."""
    try:
        with time_limit(COUNT_SECONDS):
            return Customer.objects.filter(conditions.to_q(node, now=now), project=project).count(), True
    except TookTooLong:
        return _estimate(project, node, now, sampled), False


def estimate_count(*, project: Project, tree: Any, now: datetime) -> int:
    """
    Return about how many profiles the tree holds for, from a sample.

    :raises InvalidCondition: if the tree is not one of the grammar.
    :raises TookTooLong: if the sample could not be read in `ESTIMATE_SECONDS`.
    """
    return _estimate(project, _node(project, tree), now, None)


def _estimate(project: Project, node: Node, now: datetime, sampled: Mapping[UUID, Mapping[str, Any]] | None) -> int:
    values = sampled or _sampled_values(project, node, now)
    holding = sum(conditions.holds(node, found, now=now) for found in values.values())
    return round(count_profiles(project=project) * holding / max(1, len(values)))


def _sampled_values(project: Project, node: Node, now: datetime) -> dict[UUID, dict[str, Any]]:
    names = conditions.field_names(node)
    with time_limit(ESTIMATE_SECONDS):
        return profile_values(customer_ids=sample_of(project=project).ids, names=names, now=now)


def _among_last_seen(project: Project, node: Node, now: datetime, limit: int) -> list[Customer]:
    """Return those of the profiles seen last for which the tree holds: for most trees the few that are looked for."""
    names = conditions.field_names(node)
    try:
        with time_limit(COUNT_SECONDS):
            last_seen = list(Customer.objects.filter(project=project).order_by(*LAST_SEEN_FIRST)[:LOOKED_THROUGH])
            values = profile_values(customer_ids=[customer.pk for customer in last_seen], names=names, now=now)
    except TookTooLong:
        return []
    holding = [customer for customer in last_seen if conditions.holds(node, values.get(customer.pk, {}), now=now)]
    return holding[:limit]


def segment_customers(*, segment: Segment, now: datetime) -> QuerySet[Customer]:
    """
    Return the profiles that are in a segment at `now`.

    :raises InvalidCondition: if a field it asks for is gone from the catalogue.
    """
    return matching_customers(project=segment.project, tree=segment.conditions, now=now)


def segments_of(*, customer: Customer, now: datetime, limit: int = 50) -> list[str]:
    """Return the names of the segments that a profile is in at `now`; one whose conditions cannot be read is left out."""
    trees = {}
    for segment in Segment.objects.filter(project=customer.project_id).order_by("name")[:limit]:
        try:
            trees[segment.name] = _node(customer.project, segment.conditions)
        except conditions.InvalidCondition:
            continue
    asked = frozenset[str]().union(*(conditions.field_names(tree) for tree in trees.values()))
    values = profile_values(customer_ids=[customer.pk], names=sorted(asked), now=now).get(customer.pk, {})
    return [name for name, tree in trees.items() if conditions.holds(tree, values, now=now)]
