"""A bound on how long reading may take, for questions that a person puts together and nobody has measured before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import OperationalError, connection

from signals_app.core.exceptions import PermanentError
from signals_app.core.planning import planned_with

_STEPS_BETWEEN_LOOKS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""

HASH_MEMORY = "64MB"
"""
What one bounded statement of PostgreSQL may keep in memory for a set of ids.

With the usual 4 MB, "is none of these 200,000" compares each profile with the whole set instead of looking it up.
"""


class TookTooLong(PermanentError):
    """A question to the database that was given up when its time was over."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """
    Give each statement inside so many seconds; for reading only.

    :raises TookTooLong: when a statement was ended by the limit.
    """
    limit = _postgresql_limit if connection.vendor == "postgresql" else _sqlite_limit
    try:
        with limit(seconds):
            yield
    except OperationalError as error:
        if _was_ended(error):
            raise TookTooLong(f"took longer than {seconds:g} s") from error
        raise


def _postgresql_limit(seconds: float) -> AbstractContextManager[None]:
    return planned_with(statement_timeout=f"{max(1, round(seconds * 1000))}ms", work_mem=HASH_MEMORY)


@contextmanager
def _sqlite_limit(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    handle = connection.connection
    until = time.monotonic() + seconds
    handle.set_progress_handler(lambda: time.monotonic() > until, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        handle.set_progress_handler(None, 0)


def _was_ended(error: OperationalError) -> bool:
    if connection.vendor == "postgresql":
        from psycopg.errors import QueryCanceled

        return isinstance(error.__cause__, QueryCanceled)
    return "interrupted" in str(error)
