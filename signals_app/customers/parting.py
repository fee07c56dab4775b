"""
Who remains one person when links are taken away: the rules of `joining`, applied to the links that are left.

The links are taken in their order, as if they alone had ever been seen. A link that was stored while its two sides were
one person anyhow may be the only one between two known shoppers now: a machine would not have joined them, so it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from signals_app.customers.constants import KNOWN_KINDS, IdentifierKind
from signals_app.customers.joining import Standing, would_join_two_known


@dataclass(frozen=True, slots=True)
class Tie:
    """A stored link between two identifiers; a person's word joins whom it says."""

    pk: int
    left: int
    right: int
    is_of_person: bool
    is_news: bool


@dataclass
class Parts:
    """`parts`: the identifiers of each person, the one with the oldest first; `refused`: links that join nobody now."""

    parts: list[list[int]] = field(default_factory=list)
    refused: list[Tie] = field(default_factory=list)


def find_parts(kinds: Mapping[int, str], ties: Iterable[Tie]) -> Parts:
    """Return who is one person, given identifiers {id: kind} and the links between them in the order they were made."""
    root = {pk: pk for pk in kinds}
    alone = {
        kind: Standing(is_known=kind in KNOWN_KINDS, has_external_id=kind == IdentifierKind.EXTERNAL_ID)
        for kind in set(kinds.values())
    }
    standings = {pk: alone[kind] for pk, kind in kinds.items()}
    found = Parts()

    def root_of(pk: int) -> int:
        while root[pk] != pk:
            root[pk] = root[root[pk]]
            pk = root[pk]
        return pk

    for tie in ties:
        left, right = sorted((root_of(tie.left), root_of(tie.right)))
        if left == right:
            continue
        if not tie.is_of_person and would_join_two_known(standings[left], standings[right], is_news=tie.is_news):
            found.refused.append(tie)
            continue
        root[right] = left
        standings[left] = Standing(
            is_known=standings[left].is_known or standings[right].is_known,
            has_external_id=standings[left].has_external_id or standings[right].has_external_id,
        )
    by_root: dict[int, list[int]] = {}
    for pk in sorted(kinds):
        by_root.setdefault(root_of(pk), []).append(pk)
    found.parts = sorted(by_root.values())
    # A link that was refused first may lie within one person after all, by way of later ones.
    found.refused = [tie for tie in found.refused if root_of(tie.left) != root_of(tie.right)]
    return found
