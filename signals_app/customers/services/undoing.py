"""Taking links back: afterwards everything is as if they had never existed."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import F, Max, Q

from signals_app.core.bulk import read_rows
from signals_app.core.models import new_id
from signals_app.customers import facets
from signals_app.customers.constants import KNOWN_KINDS, ConflictState, Evidence, IdentifierKind
from signals_app.customers.exceptions import LinkIsGone
from signals_app.customers.models import (
    Customer,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    LinkRemoval,
    MergedCustomer,
)
from signals_app.customers.parting import Parts, Tie, find_parts
from signals_app.customers.services.consent_parting import restore_consents
from signals_app.customers.services.locks import lock_customers, lock_owners
from signals_app.customers.services.profile_copies import copy_from_rows, refresh_copies
from signals_app.customers.services.sightings import SEEN_NOW
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project

REMOVED_AT_ONCE = 20
"""Customers that one call of `continue_removals` handles, each in a transaction of its own."""


@dataclass(frozen=True)
class Parting:
    """What undoing came to: the customer that kept its id, and those that are their own again."""

    kept: Customer
    split: list[Customer] = field(default_factory=list)

    @property
    def customers(self) -> list[Customer]:
        return [self.kept, *self.split]


@dataclass(frozen=True)
class _Decision:
    """Who takes links back; nobody, if a whole kind of evidence goes and nothing is said about any pair."""

    by: str
    at: datetime
    is_remembered: bool


@transaction.atomic
def undo_link(*, edge: IdentityEdge, by: str, now: datetime) -> Parting:
    """
    Take a link back, on a person's word, and make everything as if it had never existed.

    Who belongs together follows from the links that remain; if they still tie both sides, nobody is parted. Else each
    side gets back what is its own: the profile id it had, copies, buying intent and interests (folded anew from its
    signals, long histories little by little), consents as its own people said, its mails and control groups. The two
    IDs are kept apart from then on: no machine joins the profiles they belong to, only `merge` does.

    :raises LinkIsGone: if it was undone already, or its person is being erased.
    :raises IdentityKeepsMoving: if other transactions kept joining its IDs to others; try again later.
    """
    customer = lock_owners([edge.left_id]).get(edge.left_id)
    if customer is None or not IdentityEdge.objects.filter(pk=edge.pk).exists():
        raise LinkIsGone
    return _take_back(customer, {edge.pk}, _Decision(by, now, is_remembered=True))


@transaction.atomic
def undo_links_of_kind(*, project: Project, evidence: str, by: str, now: datetime) -> LinkRemoval:
    """
    Ask for all links of one kind of evidence that a store has now to be taken back; `continue_removals` does it.

    Nothing is remembered of the pairs: where other evidence, or the same later on, ties them, they are one again. A
    second wish for the same before the first is finished is the first.
    """
    newest = IdentityEdge.objects.filter(project=project, evidence=evidence).aggregate(newest=Max("pk"))["newest"]
    removal, _ = LinkRemoval.objects.get_or_create(
        project=project,
        evidence=evidence,
        finished_at=None,
        defaults={"up_to_id": newest or 0, "requested_by": by[:150], "requested_at": now},
    )
    return removal


def continue_removals(*, now: datetime) -> int:
    """
    Take back a slice of the links that are to go, and return how many went.

    Customer by customer, each in a transaction of its own: what a worker leaves behind, the next one finds.
    """
    count = 0
    for removal in LinkRemoval.objects.filter(finished_at=None).select_related("project").order_by("pk"):
        edges = IdentityEdge.objects.filter(
            project=removal.project, evidence=removal.evidence, pk__lte=removal.up_to_id
        )
        customer_ids = {pk for (pk,) in edges.order_by("pk").values_list("left__customer")[:REMOVED_AT_ONCE]}
        for customer_id in sorted(customer_ids):
            count += _remove_from(customer_id, removal, now)
        if not customer_ids:
            LinkRemoval.objects.filter(pk=removal.pk, finished_at=None).update(finished_at=now)
    return count


@transaction.atomic
def _remove_from(customer_id: uuid.UUID, removal: LinkRemoval, now: datetime) -> int:
    customer = lock_customers([customer_id]).get(customer_id)
    if customer is None:
        return 0  # joined to another meanwhile, which the next slice finds
    edges = IdentityEdge.objects.filter(
        left__customer=customer, evidence=removal.evidence, pk__lte=removal.up_to_id
    ).values_list("pk", flat=True)
    going = set(edges)
    if going:
        _take_back(customer, going, _Decision(removal.requested_by, now, is_remembered=False))
        LinkRemoval.objects.filter(pk=removal.pk).update(removed=F("removed") + len(going))
    return len(going)


def _take_back(customer: Customer, going: Collection[int], decision: _Decision) -> Parting:
    """Delete links within one locked customer and part what they alone held together."""
    kinds = dict(read_rows(Identifier.objects.filter(customer=customer.pk).values_list("pk", "kind")))
    columns = ("pk", "left_id", "right_id", "evidence", "is_news")
    rows = read_rows(IdentityEdge.objects.filter(left__customer=customer.pk).order_by("pk").values_list(*columns))
    ties = [Tie(pk, left, right, evidence == Evidence.PERSON, is_news) for pk, left, right, evidence, is_news in rows]
    parts = find_parts(kinds, [tie for tie in ties if tie.pk not in going])
    undone = [tie for tie in ties if tie.pk in going]
    _remember(customer, undone if decision.is_remembered else [], parts, decision)
    IdentityEdge.objects.filter(pk__in=[*going, *(tie.pk for tie in parts.refused)]).delete()
    if len(parts.parts) == 1:
        return Parting(customer)
    seen = {pk for _, left, right, evidence, _ in rows if evidence in SEEN_NOW for pk in (left, right)}
    return _part(customer, parts.parts, kinds, seen, decision.at)


# --- What is remembered ---------------------------------------------------------------------------------------------


def _remember(customer: Customer, undone: Sequence[Tie], parts: Parts, decision: _Decision) -> None:
    """
    Keep the pairs that a person has parted apart, and put those links before a person that join two known shoppers.

    A pair that both sides of an undone link have between them is decided with it.
    """
    place = {pk: number for number, part in enumerate(parts.parts) for pk in part}
    parted = {frozenset((place[tie.left], place[tie.right])) for tie in undone}
    evidence = dict(
        IdentityEdge.objects.filter(pk__in=[tie.pk for tie in (*undone, *parts.refused)]).values_list("pk", "evidence")
    )
    decided = {"state": ConflictState.KEPT_APART, "decided_by": decision.by[:150], "decided_at": decision.at}
    for tie in (*undone, *parts.refused):
        is_decided = tie in undone or frozenset((place[tie.left], place[tie.right])) in parted
        IdentityConflict.objects.update_or_create(
            left_id=tie.left,
            right_id=tie.right,
            defaults=decided if is_decided else {},
            create_defaults={
                "project": customer.project,
                "evidence": evidence[tie.pk],
                **(decided if is_decided else {}),
            },
        )
    between = IdentityConflict.objects.filter(left__customer=customer, right__customer=customer)
    for pk, left, right, state in between.values_list("pk", "left_id", "right_id", "state"):
        if place[left] == place[right] or state == ConflictState.KEPT_APART:
            continue
        if frozenset((place[left], place[right])) in parted:
            IdentityConflict.objects.filter(pk=pk).update(**decided)
        elif state == ConflictState.MERGED:  # they are two again, and nobody has said that they should be
            IdentityConflict.objects.filter(pk=pk).update(state=ConflictState.OPEN, decided_by="", decided_at=None)


# --- Parting --------------------------------------------------------------------------------------------------------


def _part(
    customer: Customer, parts: list[list[int]], kinds: Mapping[int, str], seen: Collection[int], now: datetime
) -> Parting:
    """
    Give each part but one a customer of its own, and let every room make anew what hangs on customers.

    `seen` are the identifiers that a link from the shop's pages has told of.
    """
    ids = _ids_of(customer.pk, parts, kinds)
    place = ids.index(customer.pk)
    parts, ids = [parts.pop(place), *parts], [ids.pop(place), *ids]
    created = dict(read_rows(Identifier.objects.filter(customer=customer.pk).values_list("pk", "created_at")))
    others = [
        Customer(id=pk, project=customer.project, created_at=min(created[one] for one in part), updated_at=now)
        for pk, part in zip(ids[1:], parts[1:], strict=True)
    ]
    Customer.objects.bulk_create(others)
    MergedCustomer.objects.filter(pk__in=ids).delete()
    for other, part in zip(others, parts[1:], strict=True):
        Identifier.objects.filter(pk__any_of=part).update(customer=other)
    customers = [customer, *others]
    customer.has_mixed_arms = False
    Customer.objects.filter(pk=customer.pk).update(has_mixed_arms=False)
    _set_last_seen(customers, [max((created[one] for one in part if one in seen), default=None) for part in parts])
    for one, part in zip(customers, parts, strict=True):
        restore_consents(customer=one, identifiers=part)
    by_id = {one.pk: one for one in customers}
    copy_from_rows(by_id)
    refresh_copies(by_id, now=now)
    for facet in facets.all():
        if facet.split:
            facet.split(customers, now)
    fact_services.record(
        project=customer.project, kind=FactKind.PROFILE_CHANGED, subject_ids=[str(one.pk) for one in customers]
    )
    return Parting(customer, others)


def _ids_of(customer_id: uuid.UUID, parts: list[list[int]], kinds: Mapping[int, str]) -> list[uuid.UUID]:
    """
    Return the customer id of each part: the one it had before it was joined to the others, else a new one.

    The customer's own id stays where it was before it took over any other; if it never did, with whom a person's name
    is known of, else with the oldest.
    """
    place = {pk: number for number, part in enumerate(parts) for pk in part}
    rows = MergedCustomer.objects.filter(identifier__customer=customer_id).order_by("merged_at", "pk")
    former = list(rows.values_list("pk", "kept_id", "identifier_id", "kept_identifier_id"))
    home = next((place[at] for _, kept, _, at in former if kept == customer_id and at in place), None)
    if home is None:
        home = min(
            range(len(parts)), key=lambda one: (all(kinds[pk] not in KNOWN_KINDS for pk in parts[one]), parts[one][0])
        )
    ids: list[uuid.UUID | None] = [None] * len(parts)
    ids[home] = customer_id
    for pk, _, identifier, kept_identifier in sorted(former, key=lambda row: row[0]):
        at = place[identifier]
        if ids[at] is None and place.get(kept_identifier or 0) != at:
            ids[at] = pk
    return [one or new_id() for one in ids]


def _set_last_seen(customers: Sequence[Customer], came: Sequence[datetime | None]) -> None:
    """
    Set when each was in the shop last, as far as rows tell it.

    Where none does, the newest of their IDs that was seen in the shop came then, but never later than what stood there.
    Who has no such ID was imported, or ordered elsewhere, and never seen.
    """
    before = customers[0].last_seen_at
    seen: dict[uuid.UUID, datetime] = {}
    for facet in facets.all():
        for pk, moment in (facet.last_seen([one.pk for one in customers]) if facet.last_seen else {}).items():
            seen[pk] = max(moment, seen.get(pk, moment))
    for customer, newest in zip(customers, came, strict=True):
        customer.last_seen_at = seen.get(customer.pk) or (min(before, newest) if before and newest else None)


def links_of(customer: Customer, *, limit: int) -> list[IdentityEdge]:
    """Return links within a customer with their identifiers, the oldest first; those of visits after all others."""
    is_of_visit = Q(left__kind=IdentifierKind.SESSION_ID) | Q(right__kind=IdentifierKind.SESSION_ID)
    rows = IdentityEdge.objects.filter(Q(left__customer=customer) | Q(right__customer=customer))
    return list(
        rows.select_related("left", "right").annotate(is_of_visit=is_of_visit).order_by("is_of_visit", "pk")[:limit]
    )
