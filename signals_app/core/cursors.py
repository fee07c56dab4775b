"""Cursors and a connection for the few statements that are too frequent or too large for Django's own."""

from __future__ import annotations

import time
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db import connection as own_connection
from django.db.backends.base.base import BaseDatabaseWrapper

BUSY_SECONDS = 0.5
"""A connection that was in use this recently is taken to be alive; an idle one is asked first."""


def bound_cursor(connection: BaseDatabaseWrapper) -> Any:
    """
    Return a cursor whose parameters the server binds; on SQLite, where that is so anyway, Django's own.

    Django's cursor for PostgreSQL writes the parameters into the text of the statement, so that the server reads a new
    text each time. This one sends them beside it, and a statement that comes again is prepared
    once (`prepare_threshold` in the settings). Errors and execute wrappers are Django's.
    """
    if connection.vendor != "postgresql":
        return connection.cursor()
    import psycopg

    connection.ensure_connection()
    return connection._prepare_cursor(psycopg.Cursor(connection.connection))  # type: ignore[attr-defined]


class LastingConnection:
    """
    A connection that outlives requests, for what one thread of a process does at a time, but not always the same one.

    Django gives each thread a connection for as long as a request lasts. Where a request needs one for a single
    statement, getting it ready and giving it back takes longer than the statement.
    """

    def __init__(self) -> None:
        self._connection: BaseDatabaseWrapper | None = None
        self._used_at = 0.0

    def get(self) -> BaseDatabaseWrapper:
        """
        Return the connection, alive; the caller is the only one to use it until it calls again.

        A thread that is in a transaction gets its own connection, and so does every thread on SQLite.
        """
        if own_connection.vendor != "postgresql" or own_connection.in_atomic_block:
            return connections[DEFAULT_DB_ALIAS]
        if self._connection is None:
            self._connection = connections.create_connection(DEFAULT_DB_ALIAS)
            self._connection.inc_thread_sharing()
        now, is_open = time.monotonic(), self._connection.connection is not None
        if is_open and now - self._used_at > BUSY_SECONDS and not self._connection.is_usable():
            self._connection.close()
        self._used_at = now
        return self._connection

    def close(self) -> None:
        """Give the connection back; the next `get` takes a new one."""
        if self._connection is not None:
            self._connection.close()
