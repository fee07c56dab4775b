"""Conditions and their values in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signals_app.segments.conditions.tree import OPS_WITHOUT_VALUE, All, Any_, Leaf, Node, Not
from signals_app.segments.fields import Field, FieldType

OP_WORDS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "is_true": "is yes",
    "is_false": "is no",
    "is_known": "is known",
    "is_unknown": "is not known",
    "within_days": "is in the last",
    "not_within_days": "is not in the last",
}
DATE_OP_WORDS: Mapping[str, str] = {"gte": "is on or after", "lt": "is before"}


def sentence(node: Node) -> str:
    """Say the tree in plain words, as in “Exit likelihood is at least 0.8 and Events is at least 6”."""
    match node:
        case Leaf():
            return _leaf_sentence(node)
        case Not(child):
            return f"not ({sentence(child)})"
        case All(()):
            return "everyone"
        case All(children):
            return " and ".join(_grouped(child) for child in children)
        case Any_(children):
            return " or ".join(_grouped(child) for child in children)


def _grouped(node: Node) -> str:
    is_group = isinstance(node, All | Any_) and len(node.children) > 1
    return f"({sentence(node)})" if is_group else sentence(node)


def _leaf_sentence(leaf: Leaf) -> str:
    field = leaf.field
    words = (DATE_OP_WORDS if field.type is FieldType.DATETIME else OP_WORDS).get(leaf.op, OP_WORDS[leaf.op])
    if leaf.op in OPS_WITHOUT_VALUE:
        return f"{field.label} {words}"
    if leaf.op in ("within_days", "not_within_days"):
        return f"{field.label} {words} {number_text(leaf.value)} {'day' if leaf.value == 1 else 'days'}"
    return f"{field.label} {words} {amount_text(field, leaf.on_clock(leaf.value))}"


def amount_text(field: Field, value: Any) -> str:
    """Say a field's value with its unit, as in “80 %”."""
    unit = f" {field.unit}" if field.unit and value is not None else ""
    return f"{value_text(field, value)}{unit}"


def value_text(field: Field, value: Any) -> str:
    """Say a field's value as a marketer would read it; a moment is said on the clock that it is given on."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_text(value * 100.0 if field.is_share else value)
    if isinstance(value, datetime):
        return value.strftime("%-d %b %Y, %H:%M")
    if isinstance(value, list | tuple):
        return ", ".join(value_text(field, one) for one in value) or "nothing"
    return dict(field.choices).get(value, str(value))


def number_text(value: float) -> str:
    """Write a number with three decimals at most, and without them where they are zero."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
