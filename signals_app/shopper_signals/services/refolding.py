"""Folding stored signals again, as a stream: what is kept in memory does not grow with the signals."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from signals_app.projects.models import Project
from signals_app.shopper_signals import folding
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.shopper_signals.services import pages
from signals_app.shopper_signals.services.interest_rows import InterestGathering

FOLDED_AT_ONCE = 500
"""Stored signals that are folded with one look into the catalogue."""
FOLDED_COLUMNS = (
    *("id", "identifier_id", "received_at", "drop_proba", "performance", "num_events", "num_loops"),
    *("num_broken_buttons", "avg_loops", "avg_broken_buttons", "relevant_events"),
)


@dataclass(slots=True)
class Refolded:
    """What the stored signals of some customers come to; a customer without signals has no state."""

    states: dict[uuid.UUID, IntentState] = field(default_factory=dict)
    gathering: InterestGathering = field(default_factory=InterestGathering)
    signals_read: int = 0

    def only(self, customer_ids: Iterable[uuid.UUID]) -> Refolded:
        """Return the part that is of these customers."""
        wanted = set(customer_ids)
        part = Refolded({each: state for each, state in self.states.items() if each in wanted})
        part.gathering.rows = {key: row for key, row in self.gathering.rows.items() if key[0] in wanted}
        return part


def fold_stored(*, project: Project, owner_of: Mapping[int, uuid.UUID]) -> Refolded:
    """
    Fold everything stored of some identifiers, {identifier id: customer id}, with the store's half-life.

    Nothing is locked and nothing stored: the caller sees to it that nothing came meanwhile.
    """
    refolded = Refolded()
    if not owner_of:
        return refolded
    signals = ShopperSignal.objects.filter(identifier_id__any_of=list(owner_of)).only(*FOLDED_COLUMNS)
    stored = signals.order_by().iterator(chunk_size=FOLDED_AT_ONCE)
    while chunk := list(islice(stored, FOLDED_AT_ONCE)):
        _fold(project, chunk, owner_of, refolded)
    return refolded


def _fold(project: Project, chunk: list[ShopperSignal], owner_of: Mapping[int, uuid.UUID], refolded: Refolded) -> None:
    read = pages.read_pages(project=project, events={signal.pk: signal.relevant_events for signal in chunk})
    by_customer: dict[uuid.UUID, list[ShopperSignal]] = {}
    for signal in chunk:
        if signal.identifier_id is not None:
            by_customer.setdefault(owner_of[signal.identifier_id], []).append(signal)
    for customer_id, own in by_customer.items():
        state = refolded.states.setdefault(customer_id, IntentState(project.intent_half_life_hours))
        folding.fold(state, [pages.facts_of(signal, read[signal.pk]) for signal in own])
        for signal in own:
            refolded.gathering.add(
                customer_id,
                read[signal.pk].weights,
                signal_id=signal.pk,
                received_at=signal.received_at,
                half_life_hours=state.half_life_hours,
            )
    refolded.signals_read += len(chunk)
