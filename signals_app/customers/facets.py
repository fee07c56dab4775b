"""
What the rooms know about a person, for the timeline, export, erasure and merge of a profile.

Each room with rows about a person registers one facet in its `AppConfig.ready()`; a test fails on a model that
reaches Customer or Identifier without one. So this room can show, export and erase what it knows nothing of.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Model, QuerySet

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.joining import Key
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
class ExportTable:
    """
    One list in the export of a person.

    `rows(customer)` streams JSON values; `title` and `columns` ({key: words}) are for the page that the person reads.
    """

    name: str
    title: str
    rows: Callable[[Customer], Iterable[dict[str, Any]]]
    columns: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    """What the page says for values that are codes."""


@dataclass(frozen=True)
class Subject:
    """A person who is being erased; `known_ids` are the identifiers as they were, which the rows no longer say."""

    customer: Customer
    known_ids: tuple[Key, ...]
    begun_at: datetime
    erasure_id: uuid.UUID | None
    """What a tombstone of theirs belongs to; None: nobody asked, their time was over, and no tombstone may stay."""

    @property
    def emails(self) -> list[str]:
        return sorted({key.value for key in self.known_ids if key.kind == IdentifierKind.EMAIL})


@dataclass(frozen=True)
class Step:
    """What one slice of an erasure did, and the place from which the next goes on; None: nothing is left."""

    count: int
    place: str | None = None


@dataclass(frozen=True)
class ErasePart:
    """
    One kind of rows that an erasure goes through, a slice at a time.

    `erase(subject, place, limit)` handles up to `limit` rows beginning at a place ("" at first) in the caller's
    transaction. `outcome` and `why` stand in the report. A `is_search` part looks through rows that are not tied to the
    person for those that name them.
    """

    name: str
    erase: Callable[[Subject, str, int], Step]
    outcome: Literal["deleted", "made anonymous"] = "deleted"
    why: str = ""
    is_search: bool = False


@dataclass(frozen=True)
class Kept:
    """What stays after an erasure, and why, for the report."""

    what: str
    why: str


@dataclass(frozen=True)
class Trait:
    """
    One thing about a person that two profiles are compared by, before they are joined or parted.

    `value` is for people; `items` are several things of which a merge may take some away (waiting mails).
    """

    label: str
    value: str
    items: tuple[str, ...] = ()


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
        # The first and the last year hold days that some clocks cannot say.
        if at.tzinfo is None or "\x00" in rest or not 1 < at.year < 9999:
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
    `{"order": "Orders"}`.
    `tables` are every row, streamed, and `files(customer)` what is a file of its own ("mails/1.html", bytes);
    `parts` erase them in slices, in their order, and `kept` says what stays.
    `merge(keep, gone, now)` moves what hangs on customers that are about to be deleted to the one that stays (rows that
    hang on identifiers move by themselves). `models` are the models it answers for.

    `split(parts, now)` is the counterpart of `merge`: what was one customer is several now, the one that kept its id
    first, and the identifiers have gone to their own; what hangs on customers has to be made anew from what hangs on
    identifiers, as if they had never been one. `last_seen(customer ids)` says when each was in the shop last, as far as
    rows tell it; `describe(customer, now)` what matters when somebody decides whether two profiles are one person's.
    """

    name: str
    label: str
    models: tuple[type[Model], ...]
    timeline: Callable[[Customer, Excerpt], list[TimelineEntry]] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    merge: Callable[[Customer, list[Customer], datetime], None] | None = None
    split: Callable[[list[Customer], datetime], None] | None = None
    last_seen: Callable[[Collection[uuid.UUID]], dict[uuid.UUID, datetime]] | None = None
    describe: Callable[[Customer, datetime], list[Trait]] | None = None
    tables: tuple[ExportTable, ...] = ()
    files: Callable[[Customer], Iterable[tuple[str, bytes]]] | None = None
    parts: tuple[ErasePart, ...] = ()
    kept: tuple[Kept, ...] = ()


def deleting(
    rows: Callable[[Subject], QuerySet[Any]], delete: Callable[[QuerySet[Any]], int] | None = None
) -> Callable[[Subject, str, int], Step]:
    """Return the `erase` of a part that deletes what a queryset finds; `delete` may do more than deleting the rows."""

    def erase(subject: Subject, place: str, limit: int) -> Step:
        found = rows(subject)
        pks = list(found.order_by().values_list("pk", flat=True)[:limit])
        if not pks:
            return Step(0)
        chosen = found.model._default_manager.filter(pk__in=pks)
        count = delete(chosen) if delete else chosen.delete()[1].get(found.model._meta.label, 0)
        return Step(count, "further" if len(pks) == limit else None)

    return erase


_facets: dict[str, Facet] = {}


def register(facet: Facet) -> None:
    """Make a facet known; registering the same name again replaces it."""
    _facets[facet.name] = facet


def all() -> list[Facet]:
    """Return every facet, lower rooms first."""
    return list(_facets.values())
