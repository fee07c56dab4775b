"""
What the rooms know about a person, for the timeline, export, erasure and merge of a profile.

Each room with rows about a person registers one facet in its `AppConfig.ready()`; a test fails on a model that
reaches Customer or Identifier without one. So this room can show, export and erase what it knows nothing of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Model

from signals_app.customers.models import Customer

Tone = Literal["info", "good", "warn", "bad"]


@dataclass(frozen=True)
class TimelineEntry:
    """One line of a profile's story; `at` is aware UTC, `reference` the id of the row it tells of."""

    at: datetime
    kind: str
    title: str
    detail: str = ""
    tone: Tone = "info"
    link: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Facet:
    """
    What one room knows about a person.

    `timeline(customer, before, limit)` gives the newest entries before a time, newest first, at most `limit`;
    `export(customer)` every row, as `{"table": [{...}, ...]}` of JSON values; `erase(customer)` deletes them and
    says how many; `merge(keep, gone, now)` moves what hangs on customers that are about to be deleted to the one
    that stays (rows that hang on identifiers move by themselves). `models` are the models it answers for.
    """

    name: str
    label: str
    models: tuple[type[Model], ...]
    timeline: Callable[[Customer, datetime | None, int], list[TimelineEntry]]
    export: Callable[[Customer], dict[str, list[dict[str, Any]]]]
    erase: Callable[[Customer], int]
    merge: Callable[[Customer, list[Customer], datetime], None] | None = None


_facets: dict[str, Facet] = {}


def register(facet: Facet) -> None:
    """Make a facet known; registering the same name again replaces it."""
    _facets[facet.name] = facet


def all() -> list[Facet]:
    """Return every facet, lower rooms first."""
    return list(_facets.values())
