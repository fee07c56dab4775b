"""From signals to waiting matches: which rules start, which waits start again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import transaction

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.remarketing import schedule
from signals_app.remarketing.constants import EntryEvent, MatchState, Reason
from signals_app.remarketing.decision import Decision, Moment, Outcome, RuleSpec, Situation, decide
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.counters import CounterKey, Counts, add_counts
from signals_app.remarketing.services.situations import trigger_situations
from signals_app.segments import conditions
from signals_app.shopper_signals.services import RecordedSignal

Pair = tuple[UUID, UUID]
"""(customer id, rule id)"""


@dataclass(frozen=True)
class PlannedMatches:
    """What came of a batch: `count` new matches, `restarted` waits, and when the first of them is due."""

    count: int = 0
    restarted: int = 0
    next_due_at: datetime | None = None


@dataclass
class _Batch:
    """The signals of one batch, sorted out by shopper and rule."""

    signals: list[RecordedSignal]
    specs: list[RuleSpec]
    now: datetime
    counts: Counts = field(default_factory=Counts)
    holding: dict[Pair, list[RecordedSignal]] = field(default_factory=dict)
    last_signal_at: dict[UUID, datetime] = field(default_factory=dict)

    def sort_out(self) -> None:
        for recorded in self.signals:
            if recorded.customer_id is not None:
                latest = self.last_signal_at.get(recorded.customer_id)
                received_at = recorded.signal.received_at
                self.last_signal_at[recorded.customer_id] = max(latest or received_at, received_at)
            for spec in self.specs:
                if not _trigger_holds(spec, recorded, self.now):
                    self.count(spec, Reason.SKIPPED_TRIGGER)
                elif recorded.customer_id is None:
                    self.count(spec, _decide_unknown(spec, recorded, self.now).reason)
                else:
                    self.holding.setdefault((recorded.customer_id, spec.id), []).append(recorded)

    def count(self, spec: RuleSpec, reason: Reason, times: int = 1) -> None:
        self.counts[CounterKey(spec.id, spec.version, reason)] += times


def plan_matches(*, project: Project, recorded: Sequence[RecordedSignal], now: datetime) -> PlannedMatches:
    """
    Test each new signal against the store's active rules and plan what should happen.

    Where a trigger holds, the shopper gets a waiting match, one at most for each rule; while it waits, a further signal
    that holds brings its values up to date. Any new signal of a shopper starts their waits again. Everything else is
    counted by reason. Safe to run again with the same signals: an occasion is named by the signal that began it.
    """
    if not recorded:
        return PlannedMatches()
    specs = rule_services.active_specs(project=project, entry_event=EntryEvent.SIGNAL)
    batch = _Batch(sorted(recorded, key=lambda one: (one.signal.received_at, one.signal.pk.bytes)), specs, now)
    batch.sort_out()
    with transaction.atomic():
        planned = _plan(project, batch) if batch.last_signal_at else PlannedMatches()
        add_counts(batch.counts, now=now)
    return planned


def _plan(project: Project, batch: _Batch) -> PlannedMatches:
    involved = {customer_id for customer_id, _ in batch.holding} | _waiting_customers(batch.last_signal_at)
    if not involved:
        return PlannedMatches()
    customers = customer_services.lock_customers(involved)
    waiting = _waiting_matches(customers)
    restarted = _restart_waits(project, batch, customers, waiting)
    fresh = {pair: signals for pair, signals in batch.holding.items() if pair not in waiting and pair[0] in customers}
    created = _create_matches(project, batch, customers, fresh)
    dues = [match.due_at for match in (*created, *restarted)]
    return PlannedMatches(len(created), len(restarted), min(dues, default=None))


def _trigger_holds(spec: RuleSpec, recorded: RecordedSignal, now: datetime) -> bool:
    return conditions.holds(spec.trigger, recorded.values, now=now)


def _decide_unknown(spec: RuleSpec, recorded: RecordedSignal, now: datetime) -> Decision:
    nobody = Situation(
        moment=Moment.TRIGGER,
        values=recorded.values,
        zone=schedule.zone_of(),
        triggered_at=recorded.signal.received_at,
        is_known=False,
    )
    return decide(spec, nobody, now)


# --- Waits that start again -----------------------------------------------------------------------------------------


def _waiting_customers(customer_ids: Iterable[UUID]) -> set[UUID]:
    waiting = RuleMatch.objects.filter(
        identifier__customer__in=list(customer_ids),
        state=MatchState.PLANNED,
        rule__entry_event=EntryEvent.SIGNAL,
    )
    return set(waiting.order_by().values_list("identifier__customer", flat=True))


def _waiting_matches(customers: Mapping[UUID, Customer]) -> dict[Pair, RuleMatch]:
    matches = RuleMatch.objects.filter(
        identifier__customer__in=list(customers),
        state=MatchState.PLANNED,
        rule__entry_event=EntryEvent.SIGNAL,
    ).select_related("rule", "identifier")
    return {(match.identifier.customer_id, match.rule_id): match for match in matches.order_by("triggered_at", "pk")}


def _restart_waits(
    project: Project, batch: _Batch, customers: Mapping[UUID, Customer], waiting: Mapping[Pair, RuleMatch]
) -> list[RuleMatch]:
    policy = rule_services.policy_of(project) if waiting else None
    restarted = []
    for (customer_id, rule_id), match in waiting.items():
        last = batch.last_signal_at.get(customer_id)
        if policy is None or last is None or last < match.triggered_at:
            continue
        spec = rule_services.spec_of(match.rule, policy)
        match.triggered_at = last
        match.due_at = schedule.due_at(
            last=last,
            wait=spec.wait,
            next_day_hour=spec.next_day_hour,
            zone=schedule.zone_of(customers[customer_id].time_zone, project.time_zone),
            hours=spec.hours,
        )
        match.attempts, match.lease_token, match.lease_until = 0, None, None
        holding = batch.holding.get((customer_id, rule_id))
        if holding:
            match.signal, match.values = holding[-1].signal, as_json(holding[-1].values)
        restarted.append(match)
    RuleMatch.objects.bulk_update(
        restarted, ["triggered_at", "due_at", "signal", "values", "attempts", "lease_token", "lease_until"]
    )
    return restarted


# --- New matches ----------------------------------------------------------------------------------------------------


def _create_matches(
    project: Project,
    batch: _Batch,
    customers: Mapping[UUID, Customer],
    fresh: Mapping[Pair, list[RecordedSignal]],
) -> list[RuleMatch]:
    situations = trigger_situations(
        project=project,
        customers=customers,
        specs=batch.specs,
        triggered={
            (customer_id, rule_id): (signals[-1].values, batch.last_signal_at[customer_id])
            for (customer_id, rule_id), signals in fresh.items()
        },
        now=batch.now,
    )
    specs = {spec.id: spec for spec in batch.specs}
    matches = []
    for pair, situation in situations.items():
        spec, signals = specs[pair[1]], fresh[pair]
        decision = decide(spec, situation, batch.now)
        # Each signal that was refused counts, however they were batched; those that join a match that waits do not.
        batch.count(spec, decision.reason, 1 if decision.outcome is Outcome.PLAN else len(signals))
        if decision.outcome is Outcome.PLAN:
            matches.append(_new_match(project, spec, signals, situation, decision, batch.now))
    # The same occasion twice can only be a repeated batch: the first one stands.
    RuleMatch.objects.bulk_create(matches, ignore_conflicts=True)
    return matches


def _new_match(
    project: Project,
    spec: RuleSpec,
    signals: list[RecordedSignal],
    situation: Situation,
    decision: Decision,
    now: datetime,
) -> RuleMatch:
    first, last = signals[0].signal, signals[-1].signal
    return RuleMatch(
        project=project,
        rule_id=spec.id,
        rule_version=spec.version,
        identifier_id=cast(int, last.identifier_id),  # a signal of a known shopper has one
        signal=last,
        entry_key=f"signal:{first.pk}",
        arm=situation.arm,
        triggered_at=situation.triggered_at,
        due_at=decision.due_at,
        created_at=now,
        values=as_json(situation.values),
        gates=[gate.as_json() for gate in decision.gates],
    )


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are stored on a match: JSON knows no moments, so these become text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
