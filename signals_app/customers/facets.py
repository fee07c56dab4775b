"""
What the rooms know about a person, for the timeline, export, erasure and merge of a profile.

Each room with rows about a person registers one facet in its `AppConfig.ready()`; a test fails on a model that
reaches Customer or Identifier without one. So this room can show, export and erase what it knows nothing of.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
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
class Trait:
    """
    One thing about a person that two profiles are compared by, before they are joined or parted.

    `value` is for people; `items` are several things of which a merge may take some away (waiting mails).
    """

    label: str
    value: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facet:
    """
    What one room knows about a person.

    `timeline(customer, before, limit)` gives the newest entries before a time, newest first, at most `limit`;
    `export(customer)` every row, as `{"table": [{...}, ...]}` of JSON values; `erase(customer)` deletes them and
    says how many; `merge(keep, gone, now)` moves what hangs on customers that are about to be deleted to the one
    that stays (rows that hang on identifiers move by themselves). `models` are the models it answers for.

    `split(parts, now)` is the counterpart of `merge`: what was one customer is several now, the one that kept its id
    first, and the identifiers have gone to their own; what hangs on customers has to be made anew from what hangs on
    identifiers, as if they had never been one. `last_seen(customer ids)` says when each was in the shop last, as far as
    rows tell it; `describe(customer, now)` what matters when somebody decides whether two profiles are one person's.
    """

    name: str
    label: str
    models: tuple[type[Model], ...]
    timeline: Callable[[Customer, datetime | None, int], list[TimelineEntry]]
    export: Callable[[Customer], dict[str, list[dict[str, Any]]]]
    erase: Callable[[Customer], int]
    merge: Callable[[Customer, list[Customer], datetime], None] | None = None
    split: Callable[[list[Customer], datetime], None] | None = None
    last_seen: Callable[[Collection[uuid.UUID]], dict[uuid.UUID, datetime]] | None = None
    describe: Callable[[Customer, datetime], list[Trait]] | None = None


_facets: dict[str, Facet] = {}


def register(facet: Facet) -> None:
    """Make a facet known; registering the same name again replaces it."""
    _facets[facet.name] = facet


def all() -> list[Facet]:
    """Return every facet, lower rooms first."""
    return list(_facets.values())
