"""The profiles of a segment as rows of a table, read as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from signals_app.core.csv_cells import neutralise
from signals_app.segments import conditions, fields
from signals_app.segments.fields import Scope
from signals_app.segments.models import Segment
from signals_app.segments.services.audiences import profile_values, segment_customers

_AT_A_TIME = 500

COLUMNS = (
    "email",
    "external_id",
    "name",
    "stage",
    "intent_score",
    "consent_marketing",
    "order_count",
    "order_total",
    "last_ordered_at",
    "last_seen_at",
)


def export_rows(*, segment: Segment, now: datetime) -> Iterator[Sequence[str]]:
    """
    Yield a header and one row a profile, every cell as text that no spreadsheet computes.

    One query finds the members and is read on as rows are asked for; their values come some hundred at a time.

    :raises InvalidCondition: before the first row, if a field the segment asks for is gone from the catalogue.
    """
    members = segment_customers(segment=segment, now=now).order_by("pk").values_list("pk", flat=True)
    return _rows(members.iterator(chunk_size=_AT_A_TIME), now)


def _rows(ids: Iterator[Any], now: datetime) -> Iterator[Sequence[str]]:
    catalogue = fields.fields(Scope.PROFILE)
    yield ["Profile", *(catalogue[name].label for name in COLUMNS)]
    while chunk := list(islice(ids, _AT_A_TIME)):
        values = profile_values(customer_ids=chunk, names=COLUMNS, now=now)
        for pk in chunk:
            if pk in values:  # erased since the query began
                yield [str(pk), *(_cell(values[pk][name]) for name in COLUMNS)]


def _cell(value: Any) -> str:
    """Write a value so that a program reads it back: numbers plain, times in ISO 8601, unknown as nothing."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float):
        return conditions.number_text(value)
    return neutralise(str(value))
