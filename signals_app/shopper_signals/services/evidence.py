"""From which signals an interest is known, found when somebody asks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.projects.models import Project
from signals_app.shopper_signals import interests
from signals_app.shopper_signals.interests import InterestKey
from signals_app.shopper_signals.models import Interest, ShopperSignal
from signals_app.shopper_signals.services.pages import catalogue_of

LOOKED_THROUGH = 2_000
"""Signals looked through for one answer, at most: the newest."""
READ_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signal that showed an interest: its weight then, and the pages that showed it."""

    signal_id: uuid.UUID
    received_at: datetime
    weight: float
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """The newest evidence of an interest. `is_all` is False when there may be more than was looked through."""

    signals: tuple[Evidence, ...]
    is_all: bool


def interest_evidence(*, interest: Interest, limit: int = 20) -> FoundEvidence:
    """Return the newest signals that showed an interest, read as the store's patterns and catalogue are now."""
    project = interest.customer.project
    wanted = (interest.kind, interest.name)
    signals = ShopperSignal.objects.filter(
        identifier__customer=interest.customer_id, received_at__lte=interest.last_seen_at
    ).order_by("-received_at", "-id")[:LOOKED_THROUGH]
    stored = signals.only("id", "received_at", "relevant_events").iterator(chunk_size=READ_AT_ONCE)
    found: list[Evidence] = []
    count = 0
    # One more than is shown says that there is more.
    while len(found) <= limit and (chunk := list(islice(stored, READ_AT_ONCE))):
        found.extend(_showing(project, chunk, wanted))
        count += len(chunk)
    return FoundEvidence(tuple(found[:limit]), is_all=len(found) <= limit and count < LOOKED_THROUGH)


def latest_addresses(*, project: Project, limit: int = 200) -> list[str]:
    """Return the different addresses that the store's last signals named, newest first."""
    signals = ShopperSignal.objects.filter(project=project).order_by("-received_at", "-id")[:LOOKED_THROUGH]
    stored = signals.values_list("relevant_events", flat=True).iterator(chunk_size=READ_AT_ONCE)
    found: dict[str, None] = {}
    for events in stored:
        for name in reversed(_names(events)):
            if name not in found and matching.path_segments(name) is not None:
                found[name] = None
                if len(found) == limit:
                    return list(found)
    return list(found)


def _showing(project: Project, signals: Sequence[ShopperSignal], wanted: InterestKey) -> list[Evidence]:
    reader = catalog_services.page_reader(project_id=project.pk)
    names = {signal.pk: _names(signal.relevant_events) for signal in signals}
    pages = {name: reader.page(name) for own in names.values() for name in own}
    known = catalogue_of(project, pages.values())
    shows = {name: wanted in interests.read([page], known).weights for name, page in pages.items()}
    found = []
    for signal in signals:
        showing = [name for name in names[signal.pk] if shows[name]]
        if showing:
            weight = min(float(len(showing)), interests.MOST_WEIGHT)
            found.append(Evidence(signal.pk, signal.received_at, weight, tuple(dict.fromkeys(showing))))
    return found


def _names(events: object) -> list[str]:
    if not isinstance(events, list):
        return []
    named = (event.get("name") for event in events[: interests.PAGES_READ] if isinstance(event, dict))
    return [name for name in named if isinstance(name, str)]
