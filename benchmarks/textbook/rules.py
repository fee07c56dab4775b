"""Which rules a signal starts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from benchmarks.textbook.fields import FIELDS
from benchmarks.textbook.models import Customer, Match, Rule, RuleCounter, Signal
from signals_app.remarketing import schedule
from signals_app.remarketing.decision import Moment, Outcome, RuleSpec, Situation, decide
from signals_app.segments import conditions
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.interests import PagesRead
from signals_app.shopper_signals.scoring import Assessment, Usual

ALL_DAY = frozenset(range(24))


_compiled: dict[tuple[int, int], RuleSpec] = {}


def spec_of(rule: Rule) -> RuleSpec:
    """Return a rule as `decide` takes it, compiled once for each version."""
    key = (rule.pk, rule.version)
    if key not in _compiled:
        _compiled[key] = _spec(rule)
    return _compiled[key]


def _spec(rule: Rule) -> RuleSpec:
    return RuleSpec(
        id=uuid.UUID(int=rule.pk),
        name=rule.name,
        version=rule.version,
        status="ACTIVE",
        entry_event="SIGNAL",
        trigger=conditions.parse(rule.trigger, FIELDS, zone=UTC),
        audience=conditions.All(()),
        wait=timedelta(minutes=rule.wait_minutes),
        next_day_hour=None,
        max_age=timedelta(days=1),
        reentry=timedelta(days=rule.reentry_days),
        skip_if_ordered=timedelta(days=7),
        holdout_percent=0,
        action="MEASURE_ONLY",
        hours=ALL_DAY,
    )


def values_of(
    signal: Signal, pages: PagesRead, state: IntentState, assessed: Assessment, usual: Usual
) -> dict[str, Any]:
    usual_loops = signal.avg_loops if signal.avg_loops is not None else usual.loops
    usual_dead = signal.avg_broken_buttons if signal.avg_broken_buttons is not None else usual.broken_buttons
    away = None
    if state.visit_started_at and state.previous_signal_at:
        away = (state.visit_started_at - state.previous_signal_at) / timedelta(days=1)
    return {
        "drop_proba": signal.drop_proba,
        "performance": signal.performance,
        "performance_percentile": None,
        "num_events": signal.num_events,
        "num_loops": signal.num_loops,
        "num_broken_buttons": signal.num_broken_buttons,
        "avg_loops": signal.avg_loops,
        "avg_broken_buttons": signal.avg_broken_buttons,
        "loops_ratio": None if signal.num_loops is None or not usual_loops else signal.num_loops / usual_loops,
        "dead_clicks_over_usual": None
        if signal.num_broken_buttons is None or usual_dead is None
        else signal.num_broken_buttons - usual_dead,
        "viewed_product_keys": list(pages.views),
        "products_viewed": len(pages.views),
        "most_views_of_one_product": pages.most_views_of_one_product,
        "visited_cart": pages.visited_cart,
        "is_clean": True,
        "days_since_previous_signal": away,
        "intent_score": assessed.score,
        "stage": assessed.stage.value,
        "has_interest": bool(pages.weights),
    }


def plan_matches(customer: Customer, signal: Signal, values: Mapping[str, Any], now: datetime) -> dict[int, str]:
    """Plan what the signal starts, let what waits wait again, and return {rule id: outcome}."""
    _restart_waits(customer, signal)
    outcomes: dict[int, str] = {}
    holding = []
    for rule in Rule.objects.filter(is_active=True):
        spec = spec_of(rule)
        if conditions.holds(spec.trigger, values, now=now):
            holding.append((rule, spec))
        else:
            outcomes[rule.pk] = "SKIPPED_TRIGGER"
    if holding:
        rules = [rule for rule, _ in holding]
        entries = dict(
            Match.objects.filter(customer=customer, rule__in=rules).values_list("rule").annotate(Max("triggered_at"))
        )
        for rule, spec in holding:
            outcomes[rule.pk] = _decide(rule, spec, customer, signal, values, entries.get(rule.pk), now)
    return outcomes


def _restart_waits(customer: Customer, signal: Signal) -> None:
    for match in Match.objects.filter(customer=customer, state="planned").select_related("rule"):
        match.triggered_at = signal.received_at
        match.due_at = signal.received_at + timedelta(minutes=match.rule.wait_minutes)
        match.save(update_fields=["triggered_at", "due_at"])


def _decide(
    rule: Rule,
    spec: RuleSpec,
    customer: Customer,
    signal: Signal,
    values: Mapping[str, Any],
    last_entry_at: datetime | None,
    now: datetime,
) -> str:
    situation = Situation(
        moment=Moment.TRIGGER,
        values=values,
        zone=_zone(),
        triggered_at=signal.received_at,
        last_entry_at=last_entry_at,
    )
    decision = decide(spec, situation, now)
    if decision.outcome is Outcome.PLAN:
        Match.objects.create(
            rule=rule,
            customer=customer,
            signal=signal,
            triggered_at=signal.received_at,
            due_at=decision.due_at,
            values=dict(values),
        )
    return str(decision.reason.value)


@lru_cache(maxsize=1)
def _zone() -> Any:
    return schedule.zone_of()


def count_outcomes(outcomes: Mapping[int, str], now: datetime) -> None:
    """Count how each rule decided, one statement for each outcome."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    of_outcome: dict[str, list[int]] = {}
    for rule_id, outcome in outcomes.items():
        of_outcome.setdefault(outcome, []).append(rule_id)
    for outcome, rule_ids in sorted(of_outcome.items()):
        counters = RuleCounter.objects.filter(hour=hour, outcome=outcome, rule__in=rule_ids)
        if _add_one(counters) < len(rule_ids):
            known = set(counters.values_list("rule", flat=True))
            missing = [pk for pk in rule_ids if pk not in known]
            RuleCounter.objects.bulk_create(
                [RuleCounter(rule_id=pk, outcome=outcome, hour=hour) for pk in missing], ignore_conflicts=True
            )
            _add_one(counters.filter(rule__in=missing))


def _add_one(counters: Any) -> int:
    """Add one to counters, locked in one order, so that two workers never wait in a circle."""
    with transaction.atomic():
        locked = counters.order_by("pk").select_for_update(no_key=True).values("pk")
        return int(RuleCounter.objects.filter(pk__in=locked).update(count=F("count") + 1))
