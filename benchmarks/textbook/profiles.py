"""What a signal changes in its customer's profile."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Sum

from benchmarks.textbook.models import Customer, DayTotals, Interest, Profile, Signal
from signals_app.shopper_signals import decay, folding, interests, scoring
from signals_app.shopper_signals.interests import PagesRead


def usual_levels(now: datetime) -> scoring.Usual:
    totals = DayTotals.objects.filter(day__gt=now.date() - timedelta(days=7)).aggregate(
        signals=Sum("signals"), loops=Sum("loops"), broken_buttons=Sum("broken_buttons")
    )
    if not totals["signals"]:
        return scoring.Usual()
    return scoring.Usual(
        loops=totals["loops"] / totals["signals"], broken_buttons=totals["broken_buttons"] / totals["signals"]
    )


def count_signal(signal: Signal) -> None:
    changes = {
        "signals": F("signals") + 1,
        "loops": F("loops") + (signal.num_loops or 0),
        "broken_buttons": F("broken_buttons") + (signal.num_broken_buttons or 0),
    }
    day = DayTotals.objects.filter(day=signal.received_at.date())
    if not day.update(**changes):
        DayTotals.objects.get_or_create(day=signal.received_at.date())
        day.update(**changes)


def fold_signal(
    customer: Customer, signal: Signal, pages: PagesRead, usual: scoring.Usual, now: datetime
) -> tuple[folding.IntentState, scoring.Assessment]:
    """Fold a signal into the profile of its customer, who is locked, and score it."""
    profile, _ = Profile.objects.get_or_create(customer=customer)
    state = profile.read_state(settings.INTENT_HALF_LIFE_HOURS)
    facts = folding.SignalFacts(
        id=UUID(int=signal.pk),
        received_at=signal.received_at,
        drop_proba=signal.drop_proba,
        performance=signal.performance,
        num_events=signal.num_events,
        num_loops=signal.num_loops,
        num_broken_buttons=signal.num_broken_buttons,
        avg_loops=signal.avg_loops,
        avg_broken_buttons=signal.avg_broken_buttons,
        products_viewed=len(pages.views),
        visited_cart=pages.visited_cart,
    )
    folding.fold(state, [facts])
    assessed = scoring.assess(state, usual=usual, last_ordered_at=None, now=now)
    profile.keep_state(state)
    profile.intent_score, profile.stage, profile.review_at = assessed.score, assessed.stage.value, assessed.review_at
    profile.save()
    return state, assessed


def add_interests(customer: Customer, signal: Signal, pages: PagesRead) -> None:
    age = decay.hours(signal.received_at) / settings.INTENT_HALF_LIFE_HOURS
    names = {name for _, name in pages.weights}
    known = {(one.kind, one.name): one for one in Interest.objects.filter(customer=customer, name__in=names)}
    for (kind, name), weight in pages.weights.items():
        level = decay.log2_of(weight, age, most=interests.MOST_WEIGHT)
        interest = known.get((kind, name))
        if interest is None:
            Interest.objects.create(
                customer=customer,
                kind=kind,
                name=name,
                weight_log2=level,
                evidence_count=1,
                last_seen_at=signal.received_at,
            )
            continue
        interest.weight_log2 = decay.add(interest.weight_log2, level) or 0.0
        interest.evidence_count += 1
        interest.last_seen_at = max(interest.last_seen_at, signal.received_at)
        interest.save(update_fields=["weight_log2", "evidence_count", "last_seen_at"])
