"""
Condition trees as a person edits them: groups of rows, each row a field, a comparison and a value in plain text.

Pure: nothing here touches the database. A tree deeper than groups of rows, or with a value that plain text cannot
carry back unchanged, has no rows; it stays as it is and is edited as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from signals_app.segments.conditions import OP_WORDS, OPS_BY_TYPE, OPS_WITHOUT_VALUE
from signals_app.segments.fields import Field, FieldType

ALL, ANY = "all", "any"
MAX_GROUPS = 10
MAX_ROWS = 20

OP_LABELS: Mapping[str, str] = {
    **OP_WORDS,
    "within_days": "is in the last … days",
    "not_within_days": "is not in the last … days",
}
LIST_OPS = frozenset({"in", "not_in"})
DAY_OPS = frozenset({"within_days", "not_within_days"})


@dataclass(frozen=True)
class Row:
    """One condition as typed: `value` is plain text, percentages as 80 for 0.8, several values separated by commas."""

    field: str = ""
    op: str = ""
    value: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.field and not self.value.strip()


@dataclass(frozen=True)
class Group:
    join: str = ALL
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Rows:
    join: str = ALL
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with one row; group and row count from 0, `part` is field, op or value."""

    group: int
    row: int
    part: str
    message: str


class InvalidRows(Exception):
    """Rows that make no tree; `problems` names each."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


def rows_of(tree: Any, catalogue: Mapping[str, Field]) -> Rows | None:
    """Return the groups of rows that stand for the tree, or None when rows cannot say it."""
    if tree == {}:
        return Rows()
    join, branches = _split(tree)
    if join is None:
        join, branches = ALL, [tree]
    groups: list[Group] = []
    gathering = False  # leaves that follow one another directly under the tree's own join share a group
    for branch in branches:
        group_join, leaves = _split(branch)
        direct = group_join is None
        rows = [_row_of(leaf, catalogue) for leaf in ([branch] if direct else leaves)]
        clean = [row for row in rows if row is not None]
        if not clean or len(clean) != len(rows):
            return None
        if direct and gathering:
            groups[-1] = Group(join, groups[-1].rows + tuple(clean))
        else:
            groups.append(Group(group_join or join, tuple(clean)))
        gathering = direct
    rows_made = Rows(join, tuple(groups))
    too_many = len(groups) > MAX_GROUPS or any(len(group.rows) > MAX_ROWS for group in groups)
    return None if too_many else rows_made


def tree_of(rows: Rows, catalogue: Mapping[str, Field]) -> dict[str, Any]:
    """
    Return the condition tree that the rows say; rows left empty are left out, no rows hold for everyone.

    :raises InvalidRows: if a row has no such field or comparison, or its value cannot be read.
    """
    problems: list[RowProblem] = []
    groups: list[tuple[str, list[dict[str, Any]]]] = []
    for group_number, group in enumerate(rows.groups):
        leaves = []
        for row_number, row in enumerate(group.rows):
            if row.is_empty:
                continue
            try:
                leaves.append(_leaf_of(row, catalogue))
            except _Unreadable as error:
                problems.append(RowProblem(group_number, row_number, error.part, error.message))
        if leaves:
            groups.append((group.join if group.join == ANY else ALL, leaves))
    if problems:
        raise InvalidRows(problems)
    return _join(rows.join if rows.join == ANY else ALL, groups)


def edited_tree(rows: Rows, before: Any, catalogue: Mapping[str, Field]) -> dict[str, Any]:
    """Return the tree of the rows, or `before` itself when the rows still say the same: saving untouched is no change."""
    after = tree_of(rows, catalogue)
    shown = rows_of(before, catalogue)
    if shown is not None and tree_of(shown, catalogue) == after:
        return dict(before)
    return after


def _join(join: str, groups: Sequence[tuple[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    if not groups:
        return {}
    if len(groups) == 1:
        return {groups[0][0]: groups[0][1]}
    branches: list[dict[str, Any]] = []
    for group_join, leaves in groups:
        if group_join == join or len(leaves) == 1:
            branches.extend(leaves)
        else:
            branches.append({group_join: leaves})
    return {join: branches}


def _split(tree: Any) -> tuple[str | None, list[Any]]:
    """Return the join and branches of an all/any node; anything else has no join."""
    if isinstance(tree, dict) and len(tree) == 1:
        for join in (ALL, ANY):
            if isinstance(tree.get(join), list):
                return join, tree[join]
    return None, []


def _row_of(leaf: Any, catalogue: Mapping[str, Field]) -> Row | None:
    """Return the row of a condition, or None when typing that row would not give the same condition back."""
    if not isinstance(leaf, dict) or not isinstance(leaf.get("field"), str) or not isinstance(leaf.get("op"), str):
        return None
    field = catalogue.get(leaf["field"])
    if field is None:
        return None
    row = Row(field.name, leaf["op"], _as_text(leaf.get("value"), field))
    try:
        return row if _leaf_of(row, catalogue) == leaf else None
    except _Unreadable:
        return None


def _as_text(value: Any, field: Field) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list):
        return ", ".join(_as_text(item, field) for item in value)
    if isinstance(value, int | float):
        number = Decimal(repr(value))
        if not number.is_finite():
            return ""
        return plain_number(number * 100 if field.is_share else number)
    if field.type == FieldType.CHOICE:
        return next((str(label) for known, label in field.choices if known == value), str(value))
    return str(value)


def plain_number(number: Decimal) -> str:
    """Return the number without an exponent or idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class _Unreadable(Exception):
    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message


def _leaf_of(row: Row, catalogue: Mapping[str, Field]) -> dict[str, Any]:
    if not row.field:
        raise _Unreadable("field", f"Choose what “{row.value.strip()}” should be compared with.")
    field = catalogue.get(row.field)
    if field is None:
        raise _Unreadable("field", f"“{row.field}” cannot be used here.")
    if not row.op:
        raise _Unreadable("op", f"{field.label}: choose a comparison.")
    if row.op not in OPS_BY_TYPE[field.type]:
        allowed = ", ".join(OP_LABELS[op] for op in OPS_BY_TYPE[field.type])
        wrong = OP_LABELS.get(row.op, row.op)
        raise _Unreadable("op", f"{field.label}: “{wrong}” does not fit; choose one of: {allowed}.")
    if row.op in OPS_WITHOUT_VALUE:
        return {"field": field.name, "op": row.op}
    return {"field": field.name, "op": row.op, "value": _value_of(row, field)}


def _value_of(row: Row, field: Field) -> Any:
    text = row.value.strip()
    if not text:
        raise _Unreadable("value", f"{field.label}: enter a value.")
    if row.op in DAY_OPS:
        return _number(text, field, "a number of days")
    if row.op in LIST_OPS:
        return [_single(part, field) for part in _parts(text)]
    return _single(text, field)


def _parts(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(",") if part.strip())


def _single(text: str, field: Field) -> Any:
    if field.type == FieldType.NUMBER:
        return _number(text, field, "a number")
    if field.type == FieldType.CHOICE:
        return _choice(text, field)
    return text


def _number(text: str, field: Field, expected: str) -> int | float:
    cleaned = text.removesuffix("%").strip() if field.is_share else text
    if "," in cleaned and "." not in cleaned:
        cleaned = cleaned.replace(",", ".")
    try:
        number = Decimal(cleaned)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= Decimal("1e15"):
        raise _Unreadable("value", f"{field.label}: “{text}” is not {expected}.")
    if field.is_share:
        return float(number / 100)
    return int(number) if number == number.to_integral_value() else float(number)


def _choice(text: str, field: Field) -> str:
    for value, label in field.choices:
        if text == value or text.casefold() == str(label).casefold():
            return str(value)
    labels = ", ".join(str(label) for _, label in field.choices)
    raise _Unreadable("value", f"{field.label}: “{text}” is none of: {labels}.")
