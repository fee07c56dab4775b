"""The grammar of conditions: from a stored or submitted tree to nodes with checked values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from signals_app.core.exceptions import PermanentError
from signals_app.segments.fields import Field, FieldType

MAX_DEPTH = 8
MAX_LEAVES = 100
MAX_LIST_VALUES = 100
MAX_TEXT_LENGTH = 300
MAX_DAYS = 3_660
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200

KNOWLEDGE_OPS = ("is_known", "is_unknown")
_ORDER_OPS = ("eq", "ne", "gt", "gte", "lt", "lte")
OPS_BY_TYPE: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.NUMBER: (*_ORDER_OPS, *KNOWLEDGE_OPS),
    FieldType.TEXT: ("eq", "ne", "in", "not_in", "contains", "not_contains", *KNOWLEDGE_OPS),
    FieldType.BOOLEAN: ("is_true", "is_false", *KNOWLEDGE_OPS),
    FieldType.DATETIME: ("within_days", "not_within_days", "gte", "lt", *KNOWLEDGE_OPS),
    FieldType.CHOICE: ("eq", "ne", "in", "not_in", *KNOWLEDGE_OPS),
    FieldType.LIST: ("contains", "not_contains", *KNOWLEDGE_OPS),
}
OPS_WITHOUT_VALUE = frozenset({"is_true", "is_false", *KNOWLEDGE_OPS})


class InvalidCondition(PermanentError):
    """
    A tree that is not one of the grammar.

    `path` says where, as in `all.2.value`; `field` names the field of the leaf, if it got that far.
    """

    def __init__(self, path: str, message: str, field: str = "") -> None:
        super().__init__(f"{path or 'conditions'}: {message}")
        self.path = path
        self.message = message
        self.field = field


@dataclass(frozen=True)
class Leaf:
    """One comparison; a moment in `value` is in UTC, and told on the clock of `zone`."""

    field: Field
    op: str
    value: Any
    zone: tzinfo

    def on_clock(self, value: Any) -> Any:
        """Return a moment on the clock on which the tree was read, and anything else as it is."""
        return value.astimezone(self.zone) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class All:
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801 - `Any` is taken
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    child: Node


Node = Leaf | All | Any_ | Not


def parse(tree: Any, fields: Mapping[str, Field], *, zone: tzinfo) -> Node:
    """
    Turn a stored or submitted tree into nodes, with every value checked against its field.

    A date or time without an offset is on the clock of `zone`, the store's; a date alone is the moment at which that
    day begins there, a time that comes twice the first of the two.

    :raises InvalidCondition: naming the place and the field.
    """
    node = _parse(tree, fields, zone, path="", depth=0)
    if sum(1 for _ in leaves(node)) > MAX_LEAVES:
        raise InvalidCondition("", f"more than {MAX_LEAVES} conditions")
    return node


def _parse(tree: Any, fields: Mapping[str, Field], zone: tzinfo, *, path: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise InvalidCondition(path, f"groups stand more than {MAX_DEPTH} deep")
    if not isinstance(tree, dict):
        raise InvalidCondition(path, "must be an object with “all”, “any”, “not” or “field”")
    if not tree:
        return All(())
    if "field" in tree:
        return _parse_leaf(tree, fields, zone, path)
    if len(tree) != 1 or not tree.keys() <= {"all", "any", "not"}:
        raise InvalidCondition(path, "must have exactly one of “all”, “any”, “not” or “field”")
    key, content = next(iter(tree.items()))
    here = f"{path}.{key}".lstrip(".")
    if key == "not":
        return Not(_parse(content, fields, zone, path=here, depth=depth + 1))
    if not isinstance(content, list) or (key == "any" and not content):
        raise InvalidCondition(here, "must be a list with at least one condition")
    if len(content) > MAX_LEAVES:
        raise InvalidCondition(here, f"more than {MAX_LEAVES} conditions")
    children = tuple(
        _parse(child, fields, zone, path=f"{here}.{index}", depth=depth + 1) for index, child in enumerate(content)
    )
    return All(children) if key == "all" else Any_(children)


def _parse_leaf(tree: dict[str, Any], fields: Mapping[str, Field], zone: tzinfo, path: str) -> Leaf:
    unexpected = tree.keys() - {"field", "op", "value"}
    if unexpected:
        raise InvalidCondition(path, f"has unexpected keys: {', '.join(sorted(map(str, unexpected)))}")
    name = tree["field"]
    field = fields.get(name) if isinstance(name, str) else None
    if field is None:
        raise InvalidCondition(f"{path}.field".lstrip("."), f"there is no field named “{name}”", str(name))
    op = tree.get("op")
    if op not in OPS_BY_TYPE[field.type]:
        allowed = ", ".join(OPS_BY_TYPE[field.type])
        raise InvalidCondition(f"{path}.op".lstrip("."), f"“{field.label}” takes one of: {allowed}", field.name)
    try:
        value = _parse_value(field, op, tree.get("value"), zone)
    except ValueError as error:
        raise InvalidCondition(f"{path}.value".lstrip("."), f"“{field.label}” {error}", field.name) from None
    return Leaf(field, op, value, zone)


def _parse_value(field: Field, op: str, value: Any, zone: tzinfo) -> Any:
    if op in OPS_WITHOUT_VALUE:
        if value is not None:
            raise ValueError("takes no value here")
        return None
    if value is None or value == "" or value == []:
        raise ValueError("needs a value")
    if op in ("within_days", "not_within_days"):
        days = _parse_number(value)
        if not 0 < days <= MAX_DAYS:
            raise ValueError(f"needs a number of days up to {MAX_DAYS}")
        return days
    if op in ("in", "not_in"):
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST_VALUES:
            raise ValueError(f"needs a list of 1 to {MAX_LIST_VALUES} values")
        return tuple(_parse_text(field, one) for one in value)
    if field.type is FieldType.NUMBER:
        return _parse_number(value)
    if field.type is FieldType.DATETIME:
        return _parse_datetime(value, zone)
    return _parse_text(field, value)


def _parse_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise ValueError("needs a number")
    return float(value)


def _parse_datetime(value: Any, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("needs a date such as 2026-11-24") from None
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError(f"needs a date between {EARLIEST_YEAR} and {LATEST_YEAR}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _parse_text(field: Field, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"needs a text of 1 to {MAX_TEXT_LENGTH} characters")
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("cannot be compared with control characters")
    if field.type is FieldType.CHOICE and value not in dict(field.choices):
        raise ValueError(f"takes one of: {', '.join(key for key, _ in field.choices)}")
    return value


def problems(tree: Any, fields: Mapping[str, Field]) -> list[InvalidCondition]:
    """Return everything that keeps the tree from being one of the grammar: each unreadable condition, or what comes first."""
    zone = UTC  # whether a tree can be read depends on no clock
    try:
        parse(tree, fields, zone=zone)
    except InvalidCondition as first:
        read = (found for _, found in _read_leaves(tree, fields, zone))
        return [found for found in read if isinstance(found, InvalidCondition)] or [first]
    return []


def readable_leaves(tree: Any, fields: Mapping[str, Field], *, zone: tzinfo) -> Iterator[tuple[str, Leaf]]:
    """Yield (path, leaf) for each condition that can be read, whatever stands around it."""
    for path, found in _read_leaves(tree, fields, zone):
        if isinstance(found, Leaf):
            yield path, found


def _read_leaves(tree: Any, fields: Mapping[str, Field], zone: tzinfo) -> Iterator[tuple[str, Leaf | InvalidCondition]]:
    waiting = [(tree, "", 0)]
    seen = 0
    while waiting and seen <= MAX_LEAVES:
        node, path, depth = waiting.pop()
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            continue
        if "field" in node:
            seen += 1
            try:
                yield path, _parse_leaf(node, fields, zone, path)
            except InvalidCondition as problem:
                yield path, problem
            continue
        for key, content in node.items():
            here = f"{path}.{key}".lstrip(".")
            if key == "not":
                waiting.append((content, here, depth + 1))
            elif key in ("all", "any") and isinstance(content, list):
                inner = list(enumerate(content[: MAX_LEAVES + 1]))
                waiting += [(child, f"{here}.{index}", depth + 1) for index, child in reversed(inner)]


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every leaf of the tree, left to right."""
    match node:
        case Leaf():
            yield node
        case Not(child):
            yield from leaves(child)
        case All(children) | Any_(children):
            for child in children:
                yield from leaves(child)


def field_names(node: Node) -> frozenset[str]:
    """Return the names of the fields that the tree asks for."""
    return frozenset(leaf.field.name for leaf in leaves(node))
