"""The evidence behind a customer: edges between identifiers, and the conflicts that a person has to settle."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from django.db.models import Q

from signals_app.core.bulk import look_up, read_rows, write_rows
from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS, SHARED_AT, ConflictState
from signals_app.customers.joining import JoinPlan, Key, Link, Pointer, Seen
from signals_app.customers.models import Identifier, IdentityConflict, IdentityEdge
from signals_app.projects.models import Project

MAX_CONFLICTS_PER_IDENTIFIER = 10
"""A browser that this many shoppers share is a shared one: further pairs would only bury what a person can settle."""


def count_links_to_stronger(seen: Sequence[Seen], existing: Mapping[Key, Pointer]) -> dict[Key, int]:
    """Return how many stronger identifiers each browser or visit is tied to, where this could join two customers."""
    doubtful: set[Key] = set()
    for one in seen:
        anchor = existing.get(one.keys[0])
        for key in one.keys[1:]:
            other = existing.get(key)
            if other and key.kind not in KNOWN_KINDS and (not anchor or anchor.customer_id != other.customer_id):
                doubtful.add(key)
    counts: Counter[Key] = Counter()
    for kind in {key.kind for key in doubtful}:
        stronger = KINDS_BY_STRENGTH[: KINDS_BY_STRENGTH.index(kind)]
        key_of = {existing[key].pk: key for key in doubtful if key.kind == kind}
        edges = IdentityEdge.objects.filter(
            Q(left__in=key_of, right__kind__in=stronger) | Q(right__in=key_of, left__kind__in=stronger)
        )
        for left, right in edges.values_list("left_id", "right_id"):
            counts[key_of[left if left in key_of else right]] += 1
    return dict(counts)


def kept_apart(customers: Collection[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Return the pairs among these customers that a person keeps apart."""
    rows = IdentityConflict.objects.filter(
        state=ConflictState.KEPT_APART, left__customer__any_of=customers, right__customer__any_of=customers
    )
    pairs = read_rows(rows.values_list("left__customer", "right__customer"))
    return [(left, right) for left, right in pairs if left != right]


def record_links(
    project: Project, plan: JoinPlan, identifiers: Mapping[Key, Pointer], fresh: Collection[Key] = ()
) -> None:
    """
    Store what is new of a plan's links and conflicts; `fresh` are the identifiers that began with it.

    A link that a person has undone is not stored again, also where other links still tie its two sides together.
    """
    links = _by_pair(plan.links, identifiers)
    known = look_up(
        IdentityEdge,
        where={},
        key="left",
        values=sorted({left for left, _ in links}),
        fields=("left", "right"),
        is_unique=False,
    )
    for pair in known:
        links.pop(pair, None)
    begun = {identifiers[key].pk for key in fresh}
    if doubtful := [pair for pair in links if not begun.intersection(pair)]:
        undone = IdentityConflict.objects.filter(
            state=ConflictState.KEPT_APART, left__any_of={left for left, _ in doubtful}
        )
        for pair in read_rows(undone.values_list("left_id", "right_id")):
            links.pop(pair, None)
    write_rows(
        IdentityEdge,
        fields=("project", "left", "right", "evidence", "reference", "is_news"),
        rows=(
            (project.pk, *pair, link.evidence, link.reference[:100], link.is_news)
            for pair, link in sorted(links.items(), key=_first)
        ),
        unique=("left", "right"),
    )
    if plan.conflicts:
        _record_conflicts(project, _by_pair(plan.conflicts, identifiers))


def _record_conflicts(project: Project, conflicts: dict[tuple[int, int], Link]) -> None:
    ids = set(chain.from_iterable(conflicts))
    known = set(IdentityConflict.objects.filter(Q(left__in=ids) | Q(right__in=ids)).values_list("left_id", "right_id"))
    counts = Counter(chain.from_iterable(known))
    fresh = []
    for (left, right), link in sorted(conflicts.items(), key=_first):
        if (left, right) in known or max(counts[left], counts[right]) >= MAX_CONFLICTS_PER_IDENTIFIER:
            continue
        counts.update((left, right))
        fresh.append(
            IdentityConflict(
                project=project, left_id=left, right_id=right, evidence=link.evidence, reference=link.reference[:100]
            )
        )
    IdentityConflict.objects.bulk_create(fresh, ignore_conflicts=True)


def _first(item: tuple[tuple[int, int], Link]) -> tuple[int, int]:
    return item[0]


def _by_pair(links: Iterable[Link], identifiers: Mapping[Key, Pointer]) -> dict[tuple[int, int], Link]:
    pairs = {}
    for link in links:
        stronger, weaker = identifiers[link.stronger].pk, identifiers[link.weaker].pk
        pairs[(stronger, weaker) if stronger < weaker else (weaker, stronger)] = link
    return pairs


def shared_among(identifiers: Collection[int]) -> set[int]:
    """
    Return those of the identifiers that several people share: a browser seen with many stronger IDs or other shoppers.

    From so many on a browser or visit ties nobody together any more.
    """
    seen_with: dict[int, set[int]] = defaultdict(set)
    weak = dict(
        Identifier.objects.filter(pk__any_of=identifiers).exclude(kind__in=KNOWN_KINDS).values_list("pk", "kind")
    )
    for model in (IdentityEdge, IdentityConflict):
        rows = model.objects.filter(Q(left__any_of=weak) | Q(right__any_of=weak))
        for left, left_kind, right, right_kind in rows.values_list("left", "left__kind", "right", "right__kind"):
            strength = KINDS_BY_STRENGTH.index(left_kind) - KINDS_BY_STRENGTH.index(right_kind)
            weaker, stronger = (right, left) if strength < 0 else (left, right)
            if strength and weaker in weak:
                seen_with[weaker].add(stronger)
    return {pk for pk, stronger in seen_with.items() if len(stronger) >= SHARED_AT}
