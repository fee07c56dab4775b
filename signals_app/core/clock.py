"""The database's clock, in the one spelling that times have in the database."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import functions
from django.db.models.sql.compiler import SQLCompiler


class Now(functions.Now):
    """
    The time at the database.

    SQLite keeps times as text and compares them letter by letter. Django writes "12:00:00.401000" for a time of
    Python's, but its own `Now` writes "12:00:00.401": the same moment, found to be the earlier one. A page that goes on
    "before the last row" would then begin with that row again, for ever. This one writes what Django writes.
    """

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            # Django leaves out microseconds that are none.
            template="REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW'), '.000000', '')",
            **context,
        )
