"""
Deleting what has been kept long enough, a little at a time.

A table that grows with the traffic is emptied at its old end. One statement over months of rows would hold locks for
minutes, and on SQLite every webhook request waits behind it; so a slice is deleted in a transaction of its own, and the
number of rows in a slice follows the time that the last one took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

SMALLEST, LARGEST = 20, 5_000
MILLISECONDS_A_SLICE = 25
"""Aimed at; a transaction on SQLite stays below 50 ms."""

DeleteSlice = Callable[[QuerySet[Any]], int]


@dataclass(frozen=True, slots=True)
class Prunable:
    """Rows of one table whose time is over."""

    name: str
    expired: Callable[[datetime], Iterable[QuerySet[Any]]]
    """
    `now` -> querysets that are read along an index from the oldest row on; several where the index begins with what
    the rows belong to.
    """
    delete: DeleteSlice | None = None
    """Deletes the rows of a slice, if more is to be done than deleting them."""
    delete_outside: Callable[[list[Any], float], int] | None = None
    """Deletes rows by their keys in transactions of its own, until the monotonic clock shows a time, at latest."""
    model: type[Model] | None = None
    oldest: str = ""
    """The field that the oldest row is found by."""
    about: str = ""
    """What the rows are, in the words of a marketer."""
    kept_for: Callable[[], str] = lambda: ""
    """How long they are kept, in words."""
    setting: str = ""
    """The variable of the environment that changes it."""
    changes: bool = False
    """Rows lose a part of what they say and stay."""


def days_in_words(days: int) -> str:
    """Return how long a number of days is: "for ever", "30 days", "2 years"."""
    if not days:
        return "for ever"
    if days % 365 == 0:
        return f"{days // 365} years" if days > 365 else "1 year"
    return f"{days} days" if days > 1 else "1 day"


def prune(prunable: Prunable, *, now: datetime, stop_at: float) -> tuple[int, bool]:
    """
    Delete expired rows until there are no more or the monotonic clock shows `stop_at`.

    Return how many, and whether that was all. Can be ended at any moment and begun again.
    """
    count, size = 0, SMALLEST
    for queryset in prunable.expired(now):
        while True:
            started = time.monotonic()
            if started >= stop_at:
                return count, False
            if prunable.delete_outside:
                pks = list(queryset.values_list("pk", flat=True)[:SMALLEST])
                found, size, deleted = len(pks), SMALLEST, prunable.delete_outside(pks, stop_at) if pks else 0
            else:
                found, deleted = _delete_slice(queryset, size, prunable.delete or _delete_rows)
            took = time.monotonic() - started
            count += deleted
            if deleted < found and time.monotonic() >= stop_at:
                return count, False  # it was over in the middle of a slice
            if found < size or not deleted:  # what is left over is in use
                break
            size = next_size(size, took)
            time.sleep(min(took, 0.05))  # as long for the others
    return count, True


def count_expired(prunable: Prunable, *, now: datetime) -> int:
    """Count what `prune` would delete."""
    return sum(queryset.order_by().count() for queryset in prunable.expired(now))


@transaction.atomic
def _delete_slice(queryset: QuerySet[Any], size: int, delete: DeleteSlice) -> tuple[int, int]:
    pks = list(queryset.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:size])
    return len(pks), delete(queryset.model._default_manager.filter(pk__in=pks)) if pks else 0


def _delete_rows(rows: QuerySet[Any]) -> int:
    # Below the collector of related rows: it would read every row, bodies included, to find none.
    return int(rows.order_by()._raw_delete(rows.db))


def next_size(size: int, took: float) -> int:
    """Return how many rows the next slice may have, after one of `size` took so many seconds."""
    milliseconds = took * 1_000
    if milliseconds > MILLISECONDS_A_SLICE:
        return max(SMALLEST, size // 2)
    return min(LARGEST, size * 2) if milliseconds < MILLISECONDS_A_SLICE / 3 else size
