"""
Many values as one parameter of a statement.

Given value by value, parameters cost the driver and the parser more than the work itself, and there may be 65,535 at
most. PostgreSQL takes a whole column as one text, `{1,2,NULL}`, and reads it quickly; SQLite takes JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Field, ForeignObject, Lookup


def kind_of(column: Any) -> str:
    """Return the internal type of a field; of a relation, that of what it points at."""
    while column.is_relation:
        column = column.target_field
    return str(column.get_internal_type())


def element_type(column: Any) -> str:
    """Return the type that the elements of an array of this field have in PostgreSQL."""
    if kind_of(column) in ("CharField", "TextField"):
        return "text"
    return str(column.rel_db_type(connection)) if column.is_relation else str(column.db_type(connection))


def literal(column: Any, values: Iterable[Any]) -> str:
    """Return values of a field as the text of an array, as PostgreSQL reads it."""
    return f"{{{_TEXT_OF[kind_of(column)](list(values))}}}"


def _numbers(values: list[Any]) -> str:
    """Return numbers or truth values; PostgreSQL reads them as JSON prints them, null, NaN and infinities included."""
    return json.dumps(values)[1:-1]


def _printed(values: list[Any]) -> str:
    return ",".join(["NULL" if value is None else str(value) for value in values])


def _uuids(values: list[UUID | None]) -> str:
    return ",".join(["NULL" if value is None else f"{value.int:032x}" for value in values])


def _bytes(values: list[bytes | None]) -> str:
    return ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values])


def _texts(values: list[str | None]) -> str:
    if values and None not in values:
        text = '","'.join(values)  # type: ignore[arg-type]
        # Most columns of text have nothing in them that would have to be escaped: one look at all of them.
        if "\\" not in text and text.count('"') == 2 * (len(values) - 1):
            return f'"{text}"'
    return ",".join(["NULL" if value is None else _quoted(value) for value in values])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_TEXT_OF: Mapping[str, Callable[[list[Any]], str]] = {
    **dict.fromkeys(("AutoField", "BigAutoField", "IntegerField", "SmallIntegerField", "BigIntegerField"), _numbers),
    **dict.fromkeys(("PositiveIntegerField", "PositiveSmallIntegerField", "PositiveBigIntegerField"), _numbers),
    **dict.fromkeys(("BooleanField", "FloatField"), _numbers),
    **dict.fromkeys(("DateField", "DateTimeField", "DecimalField"), _printed),
    **dict.fromkeys(("CharField", "TextField"), _texts),
    "BinaryField": _bytes,
    "UUIDField": _uuids,
}


class AnyOf(Lookup):  # type: ignore[type-arg]
    """
    `field__any_of=values`: as `in`, for hundreds of values.

    Not for querysets, and values have to be of the field's own type: nothing is converted.
    """

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, parameters = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        values = list(self.rhs)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::{element_type(field)}[])", [*parameters, literal(field, values)]
        plain = json.dumps([value.hex if kind_of(field) == "UUIDField" else value for value in values])
        members = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {members}", [*parameters, plain]


def register_lookups() -> None:
    """Teach every field `any_of`; relations do not inherit what fields learn."""
    Field.register_lookup(AnyOf)
    ForeignObject.register_lookup(AnyOf)
