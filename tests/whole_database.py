"""Looking through every table of the database, whatever the models say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection


def tables_that_say(values: Collection[str]) -> list[str]:
    """Return "table.column: value" for each of the values that stands in any column of any row, in any case."""
    wanted = {value.casefold() for value in values}
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own tables
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, cell in zip(columns, row, strict=True):
                    text = _text(cell).casefold()
                    found |= {f"{table}.{column}: {value}" for value in wanted if value in text}
    return sorted(found)


def _text(cell: Any) -> str:
    if isinstance(cell, memoryview | bytes):
        return bytes(cell).decode("utf-8", "replace")
    return str(cell)
