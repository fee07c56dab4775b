"""The compiler that asks a dict of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from signals_app.segments.conditions.tree import KNOWLEDGE_OPS, All, Any_, Leaf, Node, Not
from signals_app.segments.conditions.wording import sentence
from signals_app.segments.fields import FieldType


@dataclass(frozen=True)
class ConditionResult:
    """How one leaf came out, moments on the store's clock; `holds` counts a `not` around it, as `sentence` does."""

    sentence: str
    field: str
    op: str
    expected: Any
    actual: Any
    holds: bool


def holds(node: Node, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Say whether the tree holds for `values`, {field name: value}; an absent name is an unknown value."""
    match node:
        case Leaf():
            return _leaf_holds(node, values.get(node.field.name), now)
        case Not(child):
            return not holds(child, values, now=now)
        case All(children):
            return all(holds(child, values, now=now) for child in children)
        case Any_(children):
            return any(holds(child, values, now=now) for child in children)


def _leaf_holds(leaf: Leaf, actual: Any, now: datetime) -> bool:
    if leaf.field.type is FieldType.LIST:
        return _list_holds(leaf.op, leaf.value, actual or ())
    if leaf.op in KNOWLEDGE_OPS:
        return (actual is None) == (leaf.op == "is_unknown")
    if leaf.op in ("within_days", "not_within_days"):
        is_within = actual is not None and actual >= now - timedelta(days=leaf.value)
        return is_within == (leaf.op == "within_days")
    return actual is not None and bool(_PREDICATES[leaf.op](actual, leaf.value))


def _list_holds(op: str, value: Any, actual: Any) -> bool:
    match op:
        case "contains":
            return value in actual
        case "not_contains":
            return value not in actual
        case _:
            return bool(actual) == (op == "is_known")


_PREDICATES: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda actual, value: actual == value,
    "ne": lambda actual, value: actual != value,
    "gt": lambda actual, value: actual > value,
    "gte": lambda actual, value: actual >= value,
    "lt": lambda actual, value: actual < value,
    "lte": lambda actual, value: actual <= value,
    "in": lambda actual, value: actual in value,
    "not_in": lambda actual, value: actual not in value,
    "contains": lambda actual, value: value in actual,
    "not_contains": lambda actual, value: value not in actual,
    "is_true": lambda actual, value: actual is True,
    "is_false": lambda actual, value: actual is False,
}


def evaluate(node: Node, values: Mapping[str, Any], *, now: datetime) -> list[ConditionResult]:
    """Return how every leaf came out, without stopping at the first that does not hold."""
    return list(_evaluate(node, values, now, is_negated=False))


def _evaluate(node: Node, values: Mapping[str, Any], now: datetime, *, is_negated: bool) -> Iterator[ConditionResult]:
    match node:
        case Leaf():
            actual = values.get(node.field.name)
            yield ConditionResult(
                sentence=f"not: {sentence(node)}" if is_negated else sentence(node),
                field=node.field.name,
                op=node.op,
                expected=list(node.value) if isinstance(node.value, tuple) else node.on_clock(node.value),
                actual=node.on_clock(actual),
                holds=_leaf_holds(node, actual, now) != is_negated,
            )
        case Not(child):
            yield from _evaluate(child, values, now, is_negated=not is_negated)
        case All(children) | Any_(children):
            for child in children:
                yield from _evaluate(child, values, now, is_negated=is_negated)
