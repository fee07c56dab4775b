"""
What the rooms know about a person, for the timeline, export, erasure and merge of a profile.

Each room with rows about a person registers one facet in its `AppConfig.ready()`; a test fails on a model that
reaches Customer or Identifier without one. So this room can show, export and erase what it knows nothing of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Model

from signals_app.customers.models import Customer

Tone = Literal["info", "good", "warn", "bad"]


@dataclass(frozen=True)
class TimelineEntry:
    """
    One line of a profile's story; `at` is aware UTC, `reference` the id of the row it tells of.

    A row gives at most one entry of a kind, so (`at`, `kind`, `reference`) is its place in the story.
    """

    at: datetime
    kind: str
    title: str
    detail: str = ""
    tone: Tone = "info"
    link: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Place:
    """
    A place in a story, which runs from new to old: by time, then by kind, then by the id of the row, all descending.

    `Place(moment)` is before everything that happened at that moment.
    """

    at: datetime
    kind: str = ""
    reference: str = ""

    @classmethod
    def of(cls, entry: TimelineEntry) -> Place:
        return cls(entry.at, entry.kind, entry.reference)

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{self.kind}_{self.reference}"

    @classmethod
    def read(cls, text: str) -> Place:
        """
        Return the place that `str` wrote.

        :raises ValueError: if it did not.
        """
        moment, _, rest = text.partition("_")
        kind, _, reference = rest.partition("_")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or "\x00" in rest:
            raise ValueError("Not a place in a story.")
        return cls(at, kind, reference)


@dataclass(frozen=True)
class Excerpt:
    """Which part of a story is asked for: the newest `limit` entries after a place, of these kinds (None: of all)."""

    limit: int
    after: Place | None = None
    kinds: frozenset[str] | None = None

    def wants(self, kind: str) -> bool:
        return self.kinds is None or kind in self.kinds


@dataclass(frozen=True)
class Facet:
    """
    What one room knows about a person.

    `timeline(customer, excerpt)` gives the entries asked for, newest first, at most `limit` (`newest.py` reads rows
    like that), or is None; `kinds` are the kinds of its entries, each with the heading it is filtered under,
    `{"order": "Orders"}`. `export(customer)` gives every row, as `{"table": [{...}, ...]}` of JSON values;
    `erase(customer)` deletes them and says how many; `merge(keep, gone, now)` moves what hangs on customers that are
    about to be deleted to the one that stays (rows that hang on identifiers move by themselves). `models` are the
    models it answers for.
    """

    name: str
    label: str
    models: tuple[type[Model], ...]
    timeline: Callable[[Customer, Excerpt], list[TimelineEntry]] | None
    export: Callable[[Customer], dict[str, list[dict[str, Any]]]]
    erase: Callable[[Customer], int]
    merge: Callable[[Customer, list[Customer], datetime], None] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)


_facets: dict[str, Facet] = {}


def register(facet: Facet) -> None:
    """Make a facet known; registering the same name again replaces it."""
    _facets[facet.name] = facet


def all() -> list[Facet]:
    """Return every facet, lower rooms first."""
    return list(_facets.values())
