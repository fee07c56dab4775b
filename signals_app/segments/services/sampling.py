"""A few of a store's profiles, drawn evenly: what they say of a field stands for what all of them say."""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

from django.core.cache import cache
from django.db import connection

from signals_app.core.time_limit import TookTooLong, time_limit
from signals_app.customers.models import LAST_SEEN_FIRST, Customer
from signals_app.projects.models import Project

SAMPLE_SIZE = 1_000
"""A share found among so many is right to three points out of a hundred, 19 times of 20."""

_KEPT_SECONDS = 600
_FEWEST = 200
"""With fewer drawn than this, the profiles seen last say more."""
_COUNT_SECONDS = 0.5
_TABLE = Customer._meta.db_table


@dataclass(frozen=True)
class Sample:
    """Profiles of a store; `is_everyone` if it has no more than these."""

    ids: tuple[UUID, ...]
    is_everyone: bool


def sample_of(*, project: Project) -> Sample:
    """Return all profiles of a small store and `SAMPLE_SIZE` of a large one, the same ones for ten minutes."""
    profiles = Customer.objects.filter(project=project)
    first = tuple(profiles.order_by(*LAST_SEEN_FIRST).values_list("pk", flat=True)[: SAMPLE_SIZE + 1])
    if len(first) <= SAMPLE_SIZE:
        return Sample(first, is_everyone=True)
    key = f"segments:sample:{project.pk}"
    drawn: tuple[UUID, ...] | None = cache.get(key)
    if drawn is None:
        drawn = _draw(project)
        cache.set(key, drawn, _KEPT_SECONDS)
    return Sample(drawn if len(drawn) >= _FEWEST else first[:SAMPLE_SIZE], is_everyone=False)


def count_profiles(*, project: Project) -> int:
    """Return how many profiles the store has, counted if that is quick, else as its database remembers."""
    key = f"segments:profiles:{project.pk}"
    known: int | None = cache.get(key)
    if known is None:
        try:
            with time_limit(_COUNT_SECONDS):
                known = Customer.objects.filter(project=project).count()
        except TookTooLong:
            known = _rows_remembered()
        cache.set(key, known, _KEPT_SECONDS)
    return known


def _draw(project: Project) -> tuple[UUID, ...]:
    draw = _draw_blocks if connection.vendor == "postgresql" else _draw_rows
    found = draw(project)
    return tuple(random.sample(found, min(SAMPLE_SIZE, len(found))))


def _draw_blocks(project: Project) -> list[UUID]:
    """Read random blocks of PostgreSQL's table, more of them for a store that has few of its rows."""
    total = _rows_remembered()
    found: list[UUID] = []
    for wanted in (3 * SAMPLE_SIZE, 100 * SAMPLE_SIZE):
        per_cent = min(100.0, 100.0 * wanted / total)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM {_TABLE} TABLESAMPLE SYSTEM (%s) WHERE project_id = %s",  # noqa: S608 - a constant
                [per_cent, project.pk],
            )
            found = [pk for (pk,) in cursor.fetchall()]
        if len(found) >= SAMPLE_SIZE or per_cent >= 100.0:
            break
    return found


def _draw_rows(project: Project) -> list[UUID]:
    """Read random rows of SQLite's table: they are numbered nearly without gaps, in the order of their coming."""
    found: list[UUID] = []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(rowid) FROM {_TABLE}")  # noqa: S608 - a constant
        last = cursor.fetchone()[0]
        for _ in range(10):
            numbers = ", ".join(str(random.randint(1, last)) for _ in range(2 * SAMPLE_SIZE))  # noqa: S311
            cursor.execute(
                f"SELECT id FROM {_TABLE} WHERE rowid IN ({numbers}) AND project_id = %s",  # noqa: S608 - numbers
                [project.pk.hex],
            )
            found += [UUID(pk) for (pk,) in cursor.fetchall()]
            if len(found) >= SAMPLE_SIZE:
                break
    return list(dict.fromkeys(found))


def _rows_remembered() -> int:
    """Return about how many rows the table has, of all stores, without counting them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT greatest(reltuples, pg_relation_size(oid) / 400, 1)::bigint FROM pg_class WHERE oid = %s::regclass",
                [_TABLE],
            )
        else:
            cursor.execute(f"SELECT max(rowid) FROM {_TABLE}")  # noqa: S608 - a constant
        return int(cursor.fetchone()[0] or 1)
