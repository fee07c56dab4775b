"""
Writing many rows in few statements, below the ORM.

`bulk_create` builds and compiles an expression for every value, which at thousands of rows a second costs more than
the database does. These rows are plain tuples: one prepared statement run over all of them (SQLite), or one statement
over arrays (PostgreSQL).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model

ROWS_AT_ONCE = 1_000

Row = Sequence[Any]


class Merge(Enum):
    """What becomes of a column when the row is there already."""

    REPLACE = "replace"
    ADD = "add"
    LARGER = "larger"
    ADD_LOG2 = "add log2"
    """log2(2^old + 2^new), for sums that are stored as their logarithm."""


def write_rows(
    model: type[Model],
    *,
    fields: Sequence[str],
    rows: Iterable[Row],
    unique: Sequence[str] = (),
    merge: Mapping[str, Merge] | None = None,
) -> None:
    """
    Insert rows, in the caller's transaction; each has one value for each of `fields`.

    A row whose `unique` fields are there already is changed as `merge` says, field by field. Within one call no two
    rows may be the same in their `unique` fields. Columns that are not named take the default of the database, which
    not every field has. Values are not validated, but constraints hold.
    """
    columns = [model._meta.get_field(name) for name in fields]
    adapters = [_adapter(column) for column in columns]
    conflict = _on_conflict(model, unique, merge or {})
    adapted = iter(
        [value if value is None else adapt(value) for adapt, value in zip(adapters, row, strict=True)] for row in rows
    )
    while chunk := list(islice(adapted, ROWS_AT_ONCE)):
        if connection.vendor == "postgresql":
            _write_arrays(model, columns, chunk, conflict)
        else:
            _write_each(model, columns, chunk, conflict)


def _write_each(model: type[Model], columns: Sequence[Any], rows: list[list[Any]], conflict: str) -> None:
    places = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(f"{_insert_into(model, columns)} VALUES ({places}){conflict}", rows)


def _write_arrays(model: type[Model], columns: Sequence[Any], rows: list[list[Any]], conflict: str) -> None:
    arrays = ", ".join(f"%s::{_array_type(column)}[]" for column in columns)
    names = [f"c{number}" for number in range(len(columns))]
    values = ", ".join(
        f"{name}::jsonb" if column.get_internal_type() == "JSONField" else name
        for name, column in zip(names, columns, strict=True)
    )
    source = f"SELECT {values} FROM unnest({arrays}) AS given({', '.join(names)})"  # noqa: S608 - names of our own columns
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_insert_into(model, columns)} {source}{conflict}", [list(array) for array in zip(*rows, strict=True)]
        )


def _insert_into(model: type[Model], columns: Sequence[Any]) -> str:
    names = ", ".join(connection.ops.quote_name(column.column) for column in columns)
    return f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names})"


def _on_conflict(model: type[Model], unique: Sequence[str], merge: Mapping[str, Merge]) -> str:
    if not unique:
        return ""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    keys = ", ".join(quote(_column(model, name)) for name in unique)
    changes = []
    for name, how in merge.items():
        column = quote(_column(model, name))
        changes.append(f"{column} = {_merged(how, f'{table}.{column}', f'EXCLUDED.{column}')}")
    return f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changes)}"


def _merged(how: Merge, old: str, new: str) -> str:
    # MAX and MIN of several arguments are SQLite's names for what PostgreSQL calls GREATEST and LEAST.
    larger, smaller = ("GREATEST", "LEAST") if connection.vendor == "postgresql" else ("MAX", "MIN")
    if how is Merge.REPLACE:
        return new
    if how is Merge.ADD:
        return f"{old} + {new}"
    if how is Merge.LARGER:
        return f"{larger}({old}, {new})"
    # PostgreSQL refuses an EXP that underflows; at 40 what is added has long been below the last digit.
    apart = f"{smaller}(ABS({old} - {new}) * LN(2.0), 40.0)"
    return f"{larger}({old}, {new}) + LN(1.0 + EXP(-{apart})) / LN(2.0)"


def _column(model: type[Model], name: str) -> str:
    column = model._meta.get_field(name).column  # type: ignore[union-attr]
    return str(column)


def _array_type(column: Any) -> str:
    kind = column.get_internal_type()
    if kind in ("JSONField", "CharField", "TextField"):
        return "text"
    return str(column.rel_db_type(connection)) if column.is_relation else str(column.db_type(connection))


def _adapter(column: Any) -> Callable[[Any], Any]:
    """Return what turns a value of a field into what the database's driver takes."""
    target = column.target_field if column.is_relation else column
    kind = target.get_internal_type()
    if kind == "JSONField":
        return json.dumps
    if kind == "FloatField":
        return float
    if connection.vendor == "postgresql":
        return _unchanged
    to_sqlite: dict[str, Callable[[Any], Any]] = {"UUIDField": _hex, "DateTimeField": _naive_utc, "DateField": str}
    return to_sqlite.get(kind, _unchanged)


def _unchanged(value: Any) -> Any:
    return value


def _hex(value: UUID) -> str:
    return value.hex


def _naive_utc(value: datetime) -> str:
    """Return a time as Django writes it into SQLite."""
    return str(value.astimezone(UTC).replace(tzinfo=None))
