"""The database's clock, in the one spelling that times have in the database, and which times can be meant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import functions
from django.db.models.sql.compiler import SQLCompiler

EARLIEST_YEAR = 1990
"""No shop on the web has anything to tell from before."""
LATEST_YEAR = 2200
CLOCKS_DIFFER = timedelta(days=1)
"""At most: a time without its zone, taken for one of another, is half a day off."""


def why_never(moment: datetime, *, now: datetime) -> str:
    """
    Return why something cannot have happened at a time, in words; empty if it can.

    A page that shows the last day of the year 9999 on a clock east of Greenwich fails, and so does all work about it.
    """
    if moment.year < EARLIEST_YEAR:
        return f"Lies before {EARLIEST_YEAR}."
    return "Lies in the future." if moment > now + CLOCKS_DIFFER else ""


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
