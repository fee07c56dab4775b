"""A cursor for the few statements that are too frequent or too large for Django's own."""

from __future__ import annotations

from typing import Any

from django.db import connection


def bound_cursor() -> Any:
    """
    Return a cursor whose parameters the server binds; on SQLite, where that is so anyway, Django's own.

    Django's cursor for PostgreSQL writes the parameters into the text of the statement, so that the server reads a new
    text each time. This one sends them beside it, in binary for `%b`, and a statement that comes again is prepared
    once (`prepare_threshold` in the settings). Errors and execute wrappers are Django's.
    """
    if connection.vendor != "postgresql":
        return connection.cursor()
    import psycopg

    connection.ensure_connection()
    return connection._prepare_cursor(psycopg.Cursor(connection.connection))  # type: ignore[attr-defined]
