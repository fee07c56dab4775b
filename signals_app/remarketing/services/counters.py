"""Counting how decisions ended, per rule version, reason and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from signals_app.core.bulk import Merge, write_rows
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
    hour = now.replace(minute=0, second=0, microsecond=0)
    write_rows(
        RuleCounter,
        fields=("rule", "rule_version", "reason", "hour", "count"),
        rows=((*key, hour, count) for key, count in sorted(counts.items(), key=_in_order) if count),
        unique=("rule", "rule_version", "reason", "hour"),
        merge={"count": Merge.ADD},
    )


def _in_order(item: tuple[CounterKey, int]) -> tuple[UUID, int, str]:
    return item[0].rule_id, item[0].rule_version, item[0].reason
