"""Counting how decisions ended, per rule version, reason and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db import connection
from django.db.models import Field

from signals_app.remarketing.constants import Reason
from signals_app.remarketing.models import RuleCounter


class CounterKey(NamedTuple):
    rule_id: UUID
    rule_version: int
    reason: Reason


Counts = Counter[CounterKey]


def add_counts(counts: Mapping[CounterKey, int], *, now: datetime) -> None:
    """
    Add the counts to the counters of this hour, in one statement that many workers may run at once.

    The rows are taken in one order, so that two workers never wait for one another; call it last in a transaction,
    since it holds the counters of busy rules until the commit.
    """
    rows = [
        (key, count) for key, count in sorted(counts.items(), key=lambda item: (item[0].rule_id, *item[0])) if count
    ]
    if not rows:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    rule_column = cast("Field[Any, Any]", RuleCounter._meta.get_field("rule"))
    hour_column = cast("Field[Any, Any]", RuleCounter._meta.get_field("hour"))
    parameters: list[Any] = []
    for key, count in rows:
        parameters += [
            rule_column.get_db_prep_save(key.rule_id, connection),
            key.rule_version,
            key.reason.value,
            hour_column.get_db_prep_save(hour, connection),
            count,
        ]
    table = connection.ops.quote_name(RuleCounter._meta.db_table)
    # The ORM's upsert can only overwrite, not add. Both databases speak this one.
    statement = (
        f"INSERT INTO {table} (rule_id, rule_version, reason, hour, count) "  # noqa: S608 - only our table's own name
        f"VALUES {', '.join(['(%s, %s, %s, %s, %s)'] * len(rows))} "
        f"ON CONFLICT (rule_id, rule_version, reason, hour) DO UPDATE SET count = {table}.count + excluded.count"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
