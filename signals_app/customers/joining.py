"""
Who is one person: the rules by which identifiers seen together are joined, as a pure function.

Anonymous joins known. Two known shoppers are never joined by a machine: that is a conflict, for a person to decide.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from signals_app.customers.constants import KNOWN_KINDS, Evidence, IdentifierKind

MAX_LINKS_TO_STRONGER = 5
"""A visit or browser seen with more stronger IDs than this is a shared one (or a bug of the shop): it joins no more."""


class Key(NamedTuple):
    """One identifier, normalised."""

    kind: str
    value: str


class Pointer(NamedTuple):
    """Where a stored identifier stands, and whose it is."""

    pk: int
    customer_id: uuid.UUID


@dataclass(frozen=True)
class Seen:
    """Identifiers seen together, strongest first, at least one."""

    reference: str
    keys: tuple[Key, ...]
    evidence: str = Evidence.SIGNAL
    seen_at: datetime | None = None
    """None: now."""


@dataclass(frozen=True)
class Standing:
    """What joining has to know about a customer."""

    is_known: bool
    has_external_id: bool
    is_new: bool = False


@dataclass(frozen=True)
class Link:
    """Two identifiers and what showed them together; `stronger` is the one that the sighting points at."""

    stronger: Key
    weaker: Key
    evidence: str
    reference: str


@dataclass
class JoinPlan:
    """What has to change so that the database says what was seen."""

    customer_of: dict[Key, uuid.UUID] = field(default_factory=dict)
    """Every key that was seen, and its customer afterwards."""
    created: set[uuid.UUID] = field(default_factory=set)
    gone: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """A customer that ends, and the one that takes its identifiers over."""
    links: list[Link] = field(default_factory=list)
    conflicts: list[Link] = field(default_factory=list)
    conflicted: set[str] = field(default_factory=set)
    """References of sightings whose identifiers belong to different known shoppers."""


def plan_joins(
    sightings: Iterable[Seen],
    *,
    pointers: Mapping[Key, uuid.UUID],
    customers: Mapping[uuid.UUID, Standing],
    links_to_stronger: Mapping[Key, int],
    new_ids: Mapping[Key, uuid.UUID],
) -> JoinPlan:
    """
    Say who belongs together after these sightings, taken one after the other.

    `pointers` has the customer of each identifier that exists, `customers` what they are, `new_ids` an id for
    the customer that each other identifier may have to start. Batches make no difference: planning
    sightings together or one by one ends with the same people.
    """
    planner = _Planner(pointers, customers, links_to_stronger, new_ids)
    for seen in sightings:
        planner.add(seen)
    return planner.finish()


class _Planner:
    def __init__(
        self,
        pointers: Mapping[Key, uuid.UUID],
        customers: Mapping[uuid.UUID, Standing],
        links_to_stronger: Mapping[Key, int],
        new_ids: Mapping[Key, uuid.UUID],
    ) -> None:
        self.pointers = dict(pointers)
        self.standings = dict(customers)
        self.links_to_stronger = dict(links_to_stronger)
        self.new_ids = new_ids
        self.keeper: dict[uuid.UUID, uuid.UUID] = {}
        self.links: dict[tuple[Key, Key], Link] = {}
        self.conflicts: dict[tuple[Key, Key], Link] = {}
        self.plan = JoinPlan()
        self.seen_keys: set[Key] = set()

    def add(self, seen: Seen) -> None:
        fresh = {key for key in seen.keys if key not in self.pointers}
        for key in fresh:
            self._start_customer(key)
        self.seen_keys.update(seen.keys)
        anchor, *others = seen.keys
        for other in others:
            link = Link(anchor, other, seen.evidence, seen.reference)
            left, right = self._customer(anchor), self._customer(other)
            if left == right:
                self.links.setdefault((anchor, other), link)
            elif self._would_join_two_known(anchor, other, fresh):
                self.plan.conflicted.add(seen.reference)
                self.conflicts.setdefault((anchor, other), link)
            elif other in fresh or self.links_to_stronger.get(other, 0) < MAX_LINKS_TO_STRONGER:
                self._join(left, right)
                self.links_to_stronger[other] = self.links_to_stronger.get(other, 0) + 1
                self.links.setdefault((anchor, other), link)

    def finish(self) -> JoinPlan:
        plan = self.plan
        plan.customer_of = {key: self._customer(key) for key in self.seen_keys}
        plan.created = {found for found in plan.customer_of.values() if self.standings[found].is_new}
        plan.gone = {ended: self._last(ended) for ended in self.keeper if not self.standings[ended].is_new}
        plan.links, plan.conflicts = list(self.links.values()), list(self.conflicts.values())
        return plan

    def _start_customer(self, key: Key) -> None:
        fresh_id = self.new_ids[key]
        self.pointers[key] = fresh_id
        self.standings[fresh_id] = Standing(
            is_known=key.kind in KNOWN_KINDS, has_external_id=key.kind == IdentifierKind.EXTERNAL_ID, is_new=True
        )

    def _would_join_two_known(self, anchor: Key, other: Key, fresh: set[Key]) -> bool:
        left, right = self.standings[self._customer(anchor)], self.standings[self._customer(other)]
        if not (left.is_known and right.is_known):
            return False
        # A customer ID or address heard of for the first time, beside the other one, is news about that shopper and
        # not a second shopper. A browser between the two proves nothing: families share browsers.
        is_news = bool(fresh & {anchor, other}) and {anchor.kind, other.kind} <= KNOWN_KINDS
        return not is_news or (left.has_external_id and right.has_external_id)

    def _join(self, left: uuid.UUID, right: uuid.UUID) -> None:
        # The known one keeps its id, since programs outside have noted it; else the older one (ids rise with time).
        keep, gone = sorted(
            (left, right), key=lambda one: (self.standings[one].is_new, not self.standings[one].is_known, one)
        )
        kept, ended = self.standings[keep], self.standings[gone]
        self.keeper[gone] = keep
        self.standings[keep] = Standing(
            is_known=kept.is_known or ended.is_known,
            has_external_id=kept.has_external_id or ended.has_external_id,
            is_new=kept.is_new,
        )

    def _customer(self, key: Key) -> uuid.UUID:
        return self._last(self.pointers[key])

    def _last(self, customer: uuid.UUID) -> uuid.UUID:
        while customer in self.keeper:
            customer = self.keeper[customer]
        return customer
