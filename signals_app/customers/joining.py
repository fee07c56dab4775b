"""
Who is one person: the rules by which identifiers seen together are joined, as a pure function.

Anonymous joins known. Two known shoppers are never joined by a machine: that is a conflict, for a person to decide.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from signals_app.customers.constants import KNOWN_KINDS, SHARED_AT, Evidence, IdentifierKind

MAX_LINKS_TO_STRONGER = SHARED_AT
"""A visit or browser seen with more stronger IDs than this joins no more."""


class Key(NamedTuple):
    """One identifier, normalised."""

    kind: str
    value: str


class Pointer(NamedTuple):
    """Where a stored identifier stands, and whose it is."""

    pk: int
    customer_id: uuid.UUID


class Seen(NamedTuple):
    """Identifiers seen together, strongest first, at least one."""

    reference: str
    keys: tuple[Key, ...]
    evidence: str = Evidence.SIGNAL
    seen_at: datetime | None = None
    """None: now."""


class Standing(NamedTuple):
    """What joining has to know about a customer."""

    is_known: bool
    has_external_id: bool
    is_new: bool = False


class Link(NamedTuple):
    """Two identifiers and what showed them together; `stronger` is the one that the sighting points at."""

    stronger: Key
    weaker: Key
    evidence: str
    reference: str
    is_news: bool = False
    """Both name a person, and one was heard of for the first time."""


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
    apart: Iterable[tuple[uuid.UUID, uuid.UUID]] = (),
) -> JoinPlan:
    """
    Say who belongs together after these sightings, taken one after the other.

    `pointers` has the customer of each identifier that exists, `customers` what they are, `new_ids` an id for
    the customer that each other identifier may have to start, `apart` the customers that a person keeps apart. Batches
    make no difference: planning sightings together or one by one ends with the same people.
    """
    planner = _Planner(pointers, customers, links_to_stronger, new_ids)
    planner.keep_apart(apart)
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
        self.apart: defaultdict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)

    def keep_apart(self, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> None:
        for left, right in pairs:
            self.apart[left].add(right)
            self.apart[right].add(left)

    def add(self, seen: Seen) -> None:
        fresh = {key for key in seen.keys if key not in self.pointers}
        for key in fresh:
            self._start_customer(key)
        self.seen_keys.update(seen.keys)
        anchor, *others = seen.keys
        for other in others:
            link = Link(anchor, other, seen.evidence, seen.reference, _is_news(anchor, other, fresh))
            left, right = self._customer(anchor), self._customer(other)
            if left == right:
                self.links.setdefault((anchor, other), link)
            elif self.apart and right in self.apart[left]:
                self.plan.conflicted.add(seen.reference)  # decided already: nothing to ask a person
            elif would_join_two_known(self.standings[left], self.standings[right], is_news=link.is_news):
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
        for enemy in self.apart.pop(gone, ()) if self.apart else ():
            self.apart[enemy].discard(gone)
            self.apart[enemy].add(keep)
            self.apart[keep].add(enemy)

    def _customer(self, key: Key) -> uuid.UUID:
        return self._last(self.pointers[key])

    def _last(self, customer: uuid.UUID) -> uuid.UUID:
        while customer in self.keeper:
            customer = self.keeper[customer]
        return customer


def would_join_two_known(left: Standing, right: Standing, *, is_news: bool) -> bool:
    """
    Say whether a link would make one person of two known shoppers, which only a person may decide.

    A customer ID or address heard of for the first time, beside the other one, is news about that shopper and not a
    second shopper. A browser between the two proves nothing: families share browsers.
    """
    if not (left.is_known and right.is_known):
        return False
    return not is_news or (left.has_external_id and right.has_external_id)


def _is_news(anchor: Key, other: Key, fresh: set[Key]) -> bool:
    return bool(fresh & {anchor, other}) and {anchor.kind, other.kind} <= KNOWN_KINDS
