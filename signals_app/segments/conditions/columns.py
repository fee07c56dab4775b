"""
One tree asked of many dicts of values at once.

Asking every tree of every signal costs signals times trees, although most trees hold for few. So the values are sorted
field by field, when a tree first asks for one: a place in the sorted values says at once for how many, and for whom, a
comparison holds. Of the comparisons without which a tree cannot hold, the one that holds for the fewest is taken, and
only these few are asked the whole tree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from signals_app.segments.conditions.predicate import holds
from signals_app.segments.conditions.tree import All, Any_, Leaf, Node
from signals_app.segments.fields import FieldType

Positions = Sequence[int]

_NOBODY: Positions = ()


class Columns:
    """Dicts of values, {field name: value}, to be asked for trees; an answer is the positions for which one holds."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, now: datetime) -> None:
        self.rows = rows
        self.now = now
        self._numbers: dict[str, _Numbers] = {}
        self._members: dict[str, Mapping[Any, Positions]] = {}

    def holding(self, node: Node) -> list[int]:
        """Return the positions of the rows for which the tree holds, in their order."""
        candidates = min(self._candidates(node), key=len, default=range(len(self.rows)))
        return sorted(place for place in candidates if holds(node, self.rows[place], now=self.now))

    def _candidates(self, node: Node) -> Iterator[Positions]:
        """Yield, for each comparison that must hold if the tree does, the rows for which it can."""
        for leaf in _necessary(node):
            if leaf.field.type is FieldType.NUMBER and leaf.op in _SPANS:
                numbers = self._numbers_of(leaf.field.name)
                start, end = _SPANS[leaf.op](numbers.values, leaf.value)
                yield numbers.positions[start:end]
            elif leaf.op in _WANTED.get(leaf.field.type, ()):
                members = self._members_of(leaf)
                wanted = _WANTED[leaf.field.type][leaf.op](leaf.value)
                yield [place for value in wanted for place in members.get(value, _NOBODY)]

    def _numbers_of(self, name: str) -> _Numbers:
        if name not in self._numbers:
            known = ((row.get(name), place) for place, row in enumerate(self.rows))
            # What is unknown, or no number that can be compared, makes every comparison false.
            pairs = sorted((value, place) for value, place in known if value is not None and value == value)
            self._numbers[name] = _Numbers([value for value, _ in pairs], [place for _, place in pairs])
        return self._numbers[name]

    def _members_of(self, leaf: Leaf) -> Mapping[Any, Positions]:
        name = leaf.field.name
        if name not in self._members:
            places: dict[Any, list[int]] = {}
            for place, row in enumerate(self.rows):
                value = row.get(name)
                for member in set(value or ()) if leaf.field.type is FieldType.LIST else (value,):
                    places.setdefault(member, []).append(place)
            self._members[name] = places
        return self._members[name]


class _Numbers(NamedTuple):
    """The known values of a field, rising, and the position of each."""

    values: list[Any]
    positions: list[int]


def _necessary(node: Node) -> Iterator[Leaf]:
    """Yield leaves without which the tree cannot hold."""
    match node:
        case Leaf():
            yield node
        case All(children):
            for child in children:
                yield from _necessary(child)
        case Any_((child,)):
            yield from _necessary(child)


_SPANS: Mapping[str, Callable[[Sequence[Any], Any], tuple[int, int]]] = {
    "eq": lambda values, value: (bisect_left(values, value), bisect_right(values, value)),
    "gt": lambda values, value: (bisect_right(values, value), len(values)),
    "gte": lambda values, value: (bisect_left(values, value), len(values)),
    "lt": lambda values, value: (0, bisect_left(values, value)),
    "lte": lambda values, value: (0, bisect_right(values, value)),
}
"""Where among rising values those stand for which a comparison holds."""

_EQUAL: Mapping[str, Callable[[Any], Collection[Any]]] = {"eq": lambda value: (value,), "in": frozenset}
_WANTED: Mapping[FieldType, Mapping[str, Callable[[Any], Collection[Any]]]] = {
    FieldType.TEXT: _EQUAL,
    FieldType.CHOICE: _EQUAL,
    FieldType.BOOLEAN: {"is_true": lambda _: (True,), "is_false": lambda _: (False,)},
    FieldType.LIST: {"contains": lambda value: (value,)},
}
"""What the value, or one of a list's, must be for a comparison to hold."""
