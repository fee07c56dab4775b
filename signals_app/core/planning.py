"""Settings of PostgreSQL for single statements, where what suits the whole program does not suit them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def planned_with(**settings: str) -> Iterator[None]:
    """Have the statements inside planned and run with these settings of PostgreSQL; another database has none."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        before = {}
        for name, value in settings.items():
            cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
            before[name] = cursor.fetchone()[0]
        yield
        # Inside somebody's transaction, what was set would hold until its end.
        for name, value in before.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
