"""The pages of signals, read with the shop's catalogue beside them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from signals_app.catalog import services as catalog_services
from signals_app.catalog.matching import Page
from signals_app.projects.models import Project
from signals_app.shopper_signals import interests
from signals_app.shopper_signals.folding import SignalFacts
from signals_app.shopper_signals.interests import Catalogue, PagesRead


class FoldedSignal(Protocol):
    """What folding needs of a signal, stored or about to be."""

    id: uuid.UUID
    received_at: datetime
    drop_proba: float | None
    performance: float | None
    num_events: int | None
    num_loops: int | None
    num_broken_buttons: int | None
    avg_loops: float | None
    avg_broken_buttons: float | None


def read_pages(*, project: Project, events: Mapping[uuid.UUID, list[Any]]) -> dict[uuid.UUID, PagesRead]:
    """Return what the events of each signal say, with one look into the catalogue for all."""
    reader = catalog_services.page_reader(project_id=project.pk)
    found = {signal_id: interests.pages_of(names, reader.page) for signal_id, names in events.items()}
    known = catalogue_of(project, chain.from_iterable(found.values()))
    return {signal_id: interests.read(pages, known) for signal_id, pages in found.items()}


def catalogue_of(project: Project, pages: Iterable[Page]) -> Catalogue:
    """Return what the store's catalogue knows of these pages."""
    different = set(pages)
    keys, handles = interests.product_candidates(different), interests.category_handles(different)
    return Catalogue(
        catalog_services.facts_by_key(project=project, keys=keys),
        catalog_services.categories_by_handle(project=project, handles=handles),
    )


def facts_of(signal: FoldedSignal, read: PagesRead) -> SignalFacts:
    return SignalFacts(
        id=signal.id,
        received_at=signal.received_at,
        drop_proba=signal.drop_proba,
        performance=signal.performance,
        num_events=signal.num_events,
        num_loops=signal.num_loops,
        num_broken_buttons=signal.num_broken_buttons,
        avg_loops=signal.avg_loops,
        avg_broken_buttons=signal.avg_broken_buttons,
        products_viewed=len(read.views),
        visited_cart=read.visited_cart,
    )
