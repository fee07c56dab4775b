"""How a shopper's score and exit likelihood came about, for a chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from signals_app.customers import newest
from signals_app.customers.facets import Excerpt
from signals_app.customers.models import Customer
from signals_app.shopper_signals import scoring, unfolding
from signals_app.shopper_signals.folding import SignalFacts
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.shopper_signals.scoring import Usual
from signals_app.shopper_signals.services import baselines, pages, profiles

SIGNALS_SHOWN = 200
SIGNALS_FOLDED = 2 * SIGNALS_SHOWN
"""More than are shown, so that the peaks which the first shown ones stand on are known."""
FADES_SHOWN = 4
"""A pause of a quarter of the half-life or more shows how far the score fell in it."""


@dataclass(frozen=True, slots=True)
class IntentPoint:
    """Score and exit likelihood at one moment; `drop_proba` is None where none was reported."""

    at: datetime
    score: float
    drop_proba: float | None
    is_signal: bool


def intent_history(*, customer: Customer) -> list[IntentPoint]:
    """
    Return how the score moved over the latest signals, oldest first, ending with the score as it is stored.

    The score is folded from the stored signals, with what is usual in the shop now, so it differs from what once was
    shown where the usual has changed since. The work does not grow with what is stored.
    """
    profile = IntentProfile.objects.filter(customer=customer).first()
    if profile is None or not profile.signal_count or profile.scored_at is None:
        return []
    signals = newest.of_customer(
        ShopperSignal.objects.defer("extra", "issues", "recorded_at"),
        Excerpt(min(SIGNALS_FOLDED, profile.signal_count)),
        customer=customer,
        kind="signal",
        at="received_at",
    )
    read = pages.read_pages(project=customer.project, events={one.pk: one.relevant_events for one in signals})
    facts = [pages.facts_of(one, read[one.pk]) for one in reversed(signals)]
    usual = baselines.usual_of(baselines.recent_baseline(project=customer.project, now=profile.scored_at))
    points = list(_points(profile, facts, usual))
    if points and profile.scored_at > points[-1].at:
        points.append(IntentPoint(profile.scored_at, profile.intent_score, None, is_signal=False))
    return points


def _points(profile: IntentProfile, facts: list[SignalFacts], usual: Usual) -> Iterator[IntentPoint]:
    pause = timedelta(hours=profile.half_life_hours) / FADES_SHOWN
    following = [*(one.received_at for one in facts[1:]), None]
    hidden = len(facts) - SIGNALS_SHOWN
    states = unfolding.states_after(profiles.state_of(profile), facts)
    for place, (until, (signal, state)) in enumerate(zip(following, states, strict=True)):
        if place < hidden:
            continue
        score = scoring.score_at(state, usual=usual, now=signal.received_at)
        yield IntentPoint(signal.received_at, score, signal.drop_proba, is_signal=True)
        if until is not None and until - signal.received_at >= pause:
            yield IntentPoint(until, scoring.score_at(state, usual=usual, now=until), None, is_signal=False)
