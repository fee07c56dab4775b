"""The compiler that asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import StrIndex
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
)

from signals_app.segments.conditions.tree import All, Any_, Leaf, Node, Not
from signals_app.segments.related_rows import EVERYONE

_LOOKUPS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": Exact,
    "gt": GreaterThan,
    "gte": GreaterThanOrEqual,
    "lt": LessThan,
    "lte": LessThanOrEqual,
}


def to_q(node: Node, *, now: datetime) -> Q:
    """Compile the tree to a Q over Customer; an empty tree gives an empty Q."""
    return Q() if node == All(()) else _to_q(node, now)


def _to_q(node: Node, now: datetime) -> Q:
    match node:
        case Leaf():
            return _leaf_to_q(node, now)
        case Not(child):
            return ~_to_q(child, now)
        case All(children):
            q = EVERYONE
            for child in children:
                q &= _to_q(child, now)
            return q
        case Any_(children):
            q = _to_q(children[0], now)
            for child in children[1:]:
                q |= _to_q(child, now)
            return q


def _leaf_to_q(leaf: Leaf, now: datetime) -> Q:
    field = leaf.field
    if field.to_q is not None:
        return field.to_q(leaf.op, leaf.value, now)
    if field.is_plain_text:
        # The bare column, so that an index on it can answer; an empty text is an unknown one.
        expression: Combinable = F(field.lookup)
        known = ~Q(Exact(expression, "")) & Q(IsNull(expression, False))
    else:
        expression = field.at(now)
        known = Q(IsNull(expression, False))
    # The explicit null check makes the comparison false, not null, for an unknown value: `not` then gives true.
    match leaf.op:
        case "is_known":
            return known
        case "is_unknown":
            return ~known
        case "within_days":
            return known & Q(GreaterThanOrEqual(expression, now - timedelta(days=leaf.value)))
        case "not_within_days":
            return ~(known & Q(GreaterThanOrEqual(expression, now - timedelta(days=leaf.value))))
        case "ne" | "not_in" | "not_contains":
            return known & ~_compare(expression, _POSITIVE_OPS[leaf.op], leaf.value)
        case _:
            return known & _compare(expression, leaf.op, leaf.value)


_POSITIVE_OPS: Mapping[str, str] = {"ne": "eq", "not_in": "in", "not_contains": "contains"}


def _compare(expression: Combinable, op: str, value: Any) -> Q:
    match op:
        case "in":
            return Q(In(expression, list(value)))
        case "contains":
            return Q(GreaterThan(StrIndex(expression, Value(value)), 0))
        case "is_true" | "is_false":
            return Q(Exact(expression, op == "is_true"))
        case _:
            return Q(_LOOKUPS[op](expression, value))
