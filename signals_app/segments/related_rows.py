"""
Conditions over what a shopper's other rows add up to: how many orders, when the last mail was.

A field's expression asks one shopper's rows, which is right for reading the values of a few. A condition is asked of a
whole store, where a subquery per profile would be a million of them. So here it becomes one set: the ids of those whose
rows answer, grouped once, and "is in it" or "is not in it" for each profile.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, Q, QuerySet

ToQ = Callable[[str, Any, datetime], Q]
RowsAt = Callable[[datetime], QuerySet[Any]]

EVERYONE = Q(pk__isnull=False)
"""True for every row, also when negated or inside an OR; an empty Q would vanish there."""

_LOOKUPS = {"eq": "exact", "ne": "exact", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
_HOLDS_FOR_ZERO: dict[str, Callable[[float], bool]] = {
    "eq": lambda value: value == 0,
    "gt": lambda value: value < 0,
    "gte": lambda value: value <= 0,
    "lt": lambda value: value > 0,
    "lte": lambda value: value >= 0,
}
_ANY_AT_ALL = {("gte", 1): True, ("gt", 0): True, ("lt", 1): False, ("lte", 0): False, ("eq", 0): False}
_OPPOSITE = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}


def number_conditions(rows_at: RowsAt, owner: str, aggregate: Any, *, counts: bool = False) -> ToQ:
    """
    Compile comparisons of a number that is `aggregate` over the rows of an owner, and zero for who has none.

    `counts` says that the aggregate counts the rows: then "at least one" needs no counting.
    """

    def to_q(op: str, value: Any, now: datetime) -> Q:
        if op in ("is_known", "is_unknown"):
            return EVERYONE if op == "is_known" else ~EVERYONE
        if op == "ne":
            return ~to_q("eq", value, now)
        if counts and (asks_for := _ANY_AT_ALL.get((op, value))) is not None:
            some = Q(pk__in=rows_at(now).order_by().values(owner))
            return some if asks_for else ~some
        answers = rows_at(now).order_by().values(owner).annotate(_answer=aggregate)
        if not _HOLDS_FOR_ZERO[op](value):
            return Q(pk__in=answers.filter(**{f"_answer__{_LOOKUPS[op]}": value}).values(owner))
        # Who has no rows is in no set: they are found as those who are not among the others.
        if op == "eq":
            others = answers.exclude(_answer=value)
        else:
            others = answers.filter(**{f"_answer__{_LOOKUPS[_OPPOSITE[op]]}": value})
        return ~Q(pk__in=others.values(owner))

    return to_q


def latest_conditions(rows_at: RowsAt, owner: str, moment: str) -> ToQ:
    """Compile comparisons of a time that is the latest `moment` of the rows of an owner, unknown for who has none."""

    def since(start: datetime, now: datetime) -> Q:
        return Q(pk__in=rows_at(now).order_by().filter(**{f"{moment}__gte": start}).values(owner))

    def to_q(op: str, value: Any, now: datetime) -> Q:
        known = Q(pk__in=rows_at(now).order_by().filter(**{f"{moment}__isnull": False}).values(owner))
        match op:
            case "is_known":
                return known
            case "is_unknown":
                return ~known
            case "within_days" | "not_within_days":
                within = since(now - timedelta(days=value), now)
                return within if op == "within_days" else ~within
            case "gte":
                return since(value, now)
            case _:
                return known & ~since(value, now)

    return to_q


def stated_conditions(rows: QuerySet[Any], ranked: dict[str, Q]) -> ToQ:
    """
    Compile comparisons of a choice that is the first of `ranked`, {value: condition of the rows}, of which a row exists.

    `rows` are those of one profile (`OuterRef("pk")`); each value of the choice is in `ranked`. As EXISTS, and not as a
    grouped set: PostgreSQL has statistics of the rows and none of what a group of them adds up to, and guesses far off.
    """

    def is_value(value: str) -> Q:
        q = Q(Exists(rows.filter(ranked[value])))
        for earlier in ranked:
            if earlier == value:
                break
            q &= ~Q(Exists(rows.filter(ranked[earlier])))
        return q

    return choice_conditions(Q(Exists(rows)), is_value)


def choice_conditions(known: Q, is_value: Callable[[str], Q]) -> ToQ:
    """Compile comparisons of a choice, given the condition that it is known, and that it is a value."""

    def to_q(op: str, value: Any, now: datetime) -> Q:
        if op in ("is_known", "is_unknown"):
            return known if op == "is_known" else ~known
        wanted = list(dict.fromkeys((value,) if op in ("eq", "ne") else value))
        q = is_value(wanted[0])
        for one in wanted[1:]:
            q |= is_value(one)
        return q if op in ("eq", "in") else known & ~q

    return to_q


def yes_conditions(is_true: Callable[[datetime], Q]) -> ToQ:
    """Compile the operators of a yes-or-no field that is always known."""

    def to_q(op: str, value: Any, now: datetime) -> Q:
        match op:
            case "is_true":
                return is_true(now)
            case "is_false":
                return ~is_true(now)
            case _:
                return EVERYONE if op == "is_known" else ~EVERYONE

    return to_q


def list_conditions(op: str, rows: QuerySet[Any], member: str, value: Any) -> Q:
    """Compile an operator of a list field, given the rows that make the list and the column of its members."""
    if op in ("contains", "not_contains"):
        rows = rows.filter(**{member: value})
    found = Q(Exists(rows))
    return ~found if op in ("not_contains", "is_unknown") else found
