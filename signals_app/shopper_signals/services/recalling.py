"""What a trigger would see of stored signals, for explaining why an automation did not act."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals import folding, scoring
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.models import Interest, ShopperSignal
from signals_app.shopper_signals.scoring import Usual
from signals_app.shopper_signals.services import baselines, pages, profiles
from signals_app.shopper_signals.services.recording import Folded, RecordedSignal, values_of


class ScoredSignal(NamedTuple):
    """A stored signal with the intent score of its shopper right after it."""

    signal: ShopperSignal
    score: float


def recall_signals(*, project: Project, signals: Sequence[ShopperSignal], now: datetime) -> list[RecordedSignal]:
    """
    Return stored signals as `record_signals` would have, in their order; nothing is changed.

    What a signal says itself is as it was; what it is compared with (intent, interests, what is usual) is as it is now.
    """
    identifiers = {signal.identifier_id for signal in signals if signal.identifier_id}
    customer_of = dict(Identifier.objects.filter(pk__in=identifiers).values_list("pk", "customer_id"))
    read = pages.read_pages(project=project, events={signal.pk: signal.relevant_events for signal in signals})
    folded = _as_it_stands(project, set(customer_of.values()), now)
    recalled = []
    for signal in signals:
        customer_id = customer_of.get(signal.identifier_id) if signal.identifier_id else None
        recalled.append(RecordedSignal(signal, customer_id, values_of(signal, customer_id, read[signal.pk], folded)))
    return recalled


def _as_it_stands(project: Project, customer_ids: set[uuid.UUID], now: datetime) -> Folded:
    baseline = baselines.recent_baseline(project=project, now=now)
    usual: Usual = baselines.usual_of(baseline)
    states, _ = profiles.load_states(project=project, customer_ids=customer_ids)
    orders = customer_services.last_order_at(list(customer_ids))
    assessments = {
        customer_id: scoring.assess(state, usual=usual, last_ordered_at=orders.get(customer_id), now=now)
        for customer_id, state in states.items()
    }
    interested = set(Interest.objects.filter(customer__in=customer_ids).values_list("customer", flat=True).distinct())
    return Folded(states, assessments, interested, baseline, usual)


def score_as_of(
    *, project: Project, signals: Sequence[ShopperSignal], wanted: Collection[uuid.UUID], now: datetime
) -> list[ScoredSignal]:
    """
    Return what the intent score was right after each wanted signal; `signals` are one shopper's, in their order.

    What is usual in the shop, its catalogue and its patterns are as they are now.
    """
    usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
    read = pages.read_pages(project=project, events={signal.pk: signal.relevant_events for signal in signals})
    state = IntentState(project.intent_half_life_hours)
    scored = []
    for signal in signals:
        folding.fold(state, [pages.facts_of(signal, read[signal.pk])])
        if signal.pk in wanted:
            assessed = scoring.assess(state, usual=usual, last_ordered_at=None, now=signal.received_at)
            scored.append(ScoredSignal(signal, assessed.score))
    return scored
