"""
Writing and reading many rows in few statements, below the ORM.

`bulk_create` builds and compiles an expression for every value, and a queryset converts every value it reads, which at
thousands of rows a second costs more than the database does. These rows are plain tuples. They are written by one
prepared statement run over all of them (SQLite), or by one statement over a text per column (PostgreSQL, see
`core.arrays`), and read with the driver's own loaders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet

from signals_app.core import arrays
from signals_app.core.cursors import bound_cursor

ROWS_AT_ONCE = 1_000


class Merge(Enum):
    """What becomes of a column when the row is there already."""

    REPLACE = "replace"
    ADD = "add"
    LARGER = "larger"
    ADD_LOG2 = "add log2"
    """log2(2^old + 2^new), for sums that are stored as their logarithm."""


@dataclass(frozen=True, slots=True)
class OfLater:
    """
    A column that goes with another: the new value if that of `column` is later, or as late and this one is larger.

    So the column is that of the latest row, in whatever order the rows come.
    """

    column: str


HowToMerge = Merge | OfLater
Row = Sequence[Any]
AnyModel = TypeVar("AnyModel", bound=Model)


def write_rows(
    model: type[Model],
    *,
    fields: Sequence[str],
    rows: Iterable[Row],
    unique: Sequence[str] = (),
    merge: Mapping[str, HowToMerge] | None = None,
) -> None:
    """
    Insert rows, in the caller's transaction; each has one value for each of `fields`.

    A row whose `unique` fields are there already is changed as `merge` says, field by field, or left alone where
    `merge` says nothing. Within one call no two rows may be the same in their `unique` fields. Columns that are not
    named take the default of the database, which not every field has. Values are not validated, but constraints hold.
    """
    columns = [model._meta.get_field(name) for name in fields]
    conflict = _on_conflict(model, unique, merge or {})
    write = _write_arrays if connection.vendor == "postgresql" else _write_each
    given = iter(rows)
    while chunk := list(islice(given, ROWS_AT_ONCE)):
        write(model, columns, chunk, conflict)


def change_rows(model: type[Model], *, key: str, fields: Sequence[str], rows: Iterable[Row]) -> None:
    """
    Change rows that are there, in the caller's transaction; each has the value of `key`, then one for each of `fields`.
    """
    columns = [model._meta.get_field(name) for name in (key, *fields)]
    change = _change_arrays if connection.vendor == "postgresql" else _change_each
    given = iter(rows)
    while chunk := list(islice(given, ROWS_AT_ONCE)):
        change(model, columns, chunk)


def read_rows(queryset: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """
    Return what a queryset made by `values_list` reads, as tuples.

    Only columns and expressions whose values the driver reads as Django would: not Django's own JSON decoders,
    encrypted fields and the like. Times are aware UTC.
    """
    if connection.vendor != "postgresql":
        return list(queryset)
    statement, parameters = queryset.query.sql_with_params()
    with _plain_cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def look_up(
    model: type[Model],
    *,
    where: Mapping[str, Any],
    key: str,
    values: Iterable[Any],
    fields: Sequence[str],
    is_unique: bool = True,
) -> list[tuple[Any, ...]]:
    """
    Return `fields` of the rows whose `key` is one of `values`, all different; `where` and `key` are together unique.

    If they are not (`is_unique`), every row of each value is returned, in no order.
    On PostgreSQL it looks into the index once for each value. Asked in another way, a planner that knows too
    little of the table (a new one, say) may read all rows of `where`. On the terms of `read_rows`.
    """
    if connection.vendor != "postgresql":
        return list(model._default_manager.filter(**where, **{f"{key}__any_of": values}).values_list(*fields))
    quote = connection.ops.quote_name
    columns = ", ".join(quote(_column(model, name)) for name in fields)
    conditions = "".join(f"{quote(_column(model, name))} = %s AND " for name in where)
    # Without either, the planner would make a join of it, and begin with reading the whole table.
    fence = "LIMIT 1" if is_unique else "OFFSET 0"
    looked_for = model._meta.get_field(key)
    statement = (
        f"SELECT found.* FROM unnest(%s::{arrays.element_type(looked_for)}[]) AS given(value), "  # noqa: S608 - our own
        f"LATERAL (SELECT {columns} FROM {quote(model._meta.db_table)} "
        f"WHERE {conditions}{quote(_column(model, key))} = given.value {fence}) AS found"
    )
    with _plain_cursor() as cursor:
        cursor.execute(statement, [arrays.literal(looked_for, values), *where.values()])
        return list(cursor.fetchall())


def read_models(queryset: QuerySet[AnyModel]) -> list[AnyModel]:
    """Return the instances that a queryset reads, on the terms of `read_rows`."""
    names = [column.attname for column in queryset.model._meta.concrete_fields]
    from_db = queryset.model.from_db
    return [from_db(queryset.db, names, row) for row in read_rows(queryset.values_list(*names))]


def _plain_cursor() -> Any:
    """
    Return a cursor of PostgreSQL that asks for binary values: the driver loads these in C.

    Django puts loaders of its own, in Python, in place of those for text. All else is as with Django's cursor.
    """
    # Imported here: SQLite needs no driver of PostgreSQL.
    from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]
    from psycopg.pq import Format

    connection.ensure_connection()
    cursor = ServerBindingCursor(connection.connection)
    cursor.format = Format.BINARY
    return connection.make_cursor(cursor)


def _write_each(model: type[Model], columns: Sequence[Any], rows: list[Row], conflict: str) -> None:
    places = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(f"{_insert_into(model, columns)} VALUES ({places}){conflict}", _adapted(columns, rows))


def _write_arrays(model: type[Model], columns: Sequence[Any], rows: list[Row], conflict: str) -> None:
    names = [f"c{number}" for number in range(len(columns))]
    values = ", ".join(_given(name, column) for name, column in zip(names, columns, strict=True))
    source = f"SELECT {values} FROM {_given_rows(columns, names)}"  # noqa: S608 - names of our own columns
    with bound_cursor(connection) as cursor:
        cursor.execute(f"{_insert_into(model, columns)} {source}{conflict}", _literals(columns, rows))


def _change_each(model: type[Model], columns: Sequence[Any], rows: list[Row]) -> None:
    quote = connection.ops.quote_name
    key, *changed = (quote(column.column) for column in columns)
    changes = ", ".join(f"{name} = %s" for name in changed)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE {key} = %s"  # noqa: S608 - our own names
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(*values, pk) for pk, *values in _adapted(columns, rows)])


def _change_arrays(model: type[Model], columns: Sequence[Any], rows: list[Row]) -> None:
    quote = connection.ops.quote_name
    table, names = quote(model._meta.db_table), [f"c{number}" for number in range(len(columns))]
    changes = ", ".join(
        f"{quote(column.column)} = {_given(name, column)}" for name, column in zip(names[1:], columns[1:], strict=True)
    )
    statement = (
        f"UPDATE {table} SET {changes} FROM {_given_rows(columns, names)} "  # noqa: S608 - names of our own columns
        f"WHERE {table}.{quote(columns[0].column)} = given.{names[0]}"
    )
    with bound_cursor(connection) as cursor:
        cursor.execute(statement, _literals(columns, rows))


def _adapted(columns: Sequence[Any], rows: Iterable[Row]) -> list[list[Any]]:
    adapters = [_adapter(column) for column in columns]
    return [
        [value if value is None else adapt(value) for adapt, value in zip(adapters, row, strict=True)] for row in rows
    ]


def _given_rows(columns: Sequence[Any], names: Sequence[str]) -> str:
    """Return the rows that `_literals` gives, as a table: one function for each column, side by side."""
    given = ", ".join(
        "jsonb_array_elements(%s::jsonb)" if _is_json(column) else f"unnest(%s::{arrays.element_type(column)}[])"
        for column in columns
    )
    return f"ROWS FROM ({given}) AS given({', '.join(names)})"


def _given(name: str, column: Any) -> str:
    return f"NULLIF({name}, 'null'::jsonb)" if _is_json(column) else name


def _literals(columns: Sequence[Any], rows: Iterable[Row]) -> list[str]:
    return [
        json.dumps(values) if _is_json(column) else arrays.literal(column, values)
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]


def _is_json(column: Any) -> bool:
    return bool(column.get_internal_type() == "JSONField")


def _insert_into(model: type[Model], columns: Sequence[Any]) -> str:
    names = ", ".join(connection.ops.quote_name(column.column) for column in columns)
    return f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names})"


def _on_conflict(model: type[Model], unique: Sequence[str], merge: Mapping[str, HowToMerge]) -> str:
    if not unique:
        return ""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    keys = ", ".join(quote(_column(model, name)) for name in unique)
    if not merge:
        return f" ON CONFLICT ({keys}) DO NOTHING"
    changes = []
    for name, how in merge.items():
        column = quote(_column(model, name))
        old, new = f"{table}.{column}", f"EXCLUDED.{column}"
        if isinstance(how, OfLater):
            by = quote(_column(model, how.column))
            is_later = f"{old} IS NULL OR (EXCLUDED.{by}, {new}) > ({table}.{by}, {old})"
            changes.append(f"{column} = CASE WHEN {is_later} THEN {new} ELSE {old} END")
        else:
            changes.append(f"{column} = {_merged(how, old, new)}")
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


def _adapter(column: Any) -> Callable[[Any], Any]:
    """Return what turns a value of a field into what SQLite's driver takes."""
    kind = arrays.kind_of(column)
    return _TO_SQLITE.get(kind, _unchanged)


def _unchanged(value: Any) -> Any:
    return value


def _hex(value: UUID) -> str:
    return value.hex


def _naive_utc(value: datetime) -> str:
    """Return a time as Django writes it into SQLite."""
    return str(value.astimezone(UTC).replace(tzinfo=None))


_TO_SQLITE: Mapping[str, Callable[[Any], Any]] = {
    "JSONField": json.dumps,
    "FloatField": float,
    "UUIDField": _hex,
    "DateTimeField": _naive_utc,
    "DateField": str,
    "DecimalField": str,
}
