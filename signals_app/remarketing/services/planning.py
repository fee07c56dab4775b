"""From signals to waiting matches: which rules start, which waits start again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import transaction

from signals_app.core import bulk
from signals_app.core.models import new_id
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.remarketing import schedule
from signals_app.remarketing.constants import EntryEvent, MatchState, Reason
from signals_app.remarketing.decision import Decision, Moment, Outcome, RuleSpec, Situation, decide
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.counters import CounterKey, Counts, add_counts
from signals_app.remarketing.services.situations import trigger_situations
from signals_app.segments.conditions import Columns
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
    """The signals of one batch, in order, sorted out by shopper and rule."""

    signals: list[RecordedSignal]
    specs: list[RuleSpec]
    now: datetime
    counts: Counts = field(default_factory=Counts)
    holding: dict[Pair, list[RecordedSignal]] = field(default_factory=dict)
    last_signal_at: dict[UUID, datetime] = field(default_factory=dict)

    def sort_out(self) -> None:
        for recorded in self.signals:
            if recorded.customer_id is not None:
                self.last_signal_at[recorded.customer_id] = recorded.signal.received_at
        columns = Columns([recorded.values for recorded in self.signals], now=self.now)
        for spec in self.specs:
            holding = columns.holding(spec.trigger)
            self.count(spec, Reason.SKIPPED_TRIGGER, len(self.signals) - len(holding))
            for place in holding:
                self._note_holding(spec, self.signals[place])

    def _note_holding(self, spec: RuleSpec, recorded: RecordedSignal) -> None:
        if recorded.customer_id is None:
            self.count(spec, _decide_unknown(spec, recorded, self.now).reason)
        else:
            self.holding.setdefault((recorded.customer_id, spec.id), []).append(recorded)

    def count(self, spec: RuleSpec, reason: Reason, times: int = 1) -> None:
        self.counts[CounterKey(spec.id, spec.version, reason)] += times


@dataclass(slots=True)
class _Waiting:
    """A match that waits for more signals of its shopper."""

    id: UUID
    customer_id: UUID
    rule_id: UUID
    triggered_at: datetime
    due_at: datetime


def plan_matches(
    *,
    project: Project,
    recorded: Sequence[RecordedSignal],
    locked: Mapping[UUID, Customer] | None = None,
    now: datetime,
) -> PlannedMatches:
    """
    Test each new signal against the store's active rules and plan what should happen.

    Where a trigger holds, the shopper gets a waiting match, one at most for each rule; while it waits, a further signal
    that holds brings its values up to date. Any new signal of a shopper starts their waits again. Everything else is
    counted by reason. Safe to run again with the same signals: an occasion is named by the signal that began it.

    `locked`: the shoppers, from a caller who has them locked in this transaction; without it they are locked here.
    """
    if not recorded:
        return PlannedMatches()
    specs = rule_services.active_specs(project=project, entry_event=EntryEvent.SIGNAL)
    batch = _Batch(sorted(recorded, key=lambda one: (one.signal.received_at, one.signal.id.bytes)), specs, now)
    batch.sort_out()
    with transaction.atomic():
        planned = _plan(project, batch, locked) if batch.last_signal_at else PlannedMatches()
        add_counts(batch.counts, now=now)
    return planned


def _plan(project: Project, batch: _Batch, locked: Mapping[UUID, Customer] | None) -> PlannedMatches:
    if locked is None:
        waits = {match.customer_id for match in _waiting_matches(batch.last_signal_at).values()}
        locked = customer_services.lock_customers(waits | {customer_id for customer_id, _ in batch.holding})
    waiting = _waiting_matches(locked)
    restarted = _restart_waits(project, batch, locked, waiting)
    fresh = {pair: signals for pair, signals in batch.holding.items() if pair not in waiting and pair[0] in locked}
    dues = _create_matches(project, batch, locked, fresh)
    return PlannedMatches(len(dues), len(restarted), min([*dues, *(match.due_at for match in restarted)], default=None))


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


def _waiting_matches(customer_ids: Iterable[UUID]) -> dict[Pair, _Waiting]:
    owner_of = customer_services.owners_of(customer_ids)
    rows = bulk.look_up(
        RuleMatch,
        where={"state": MatchState.PLANNED.value},
        key="identifier",
        values=owner_of,
        fields=("identifier_id", "id", "rule_id", "triggered_at", "due_at"),
        is_unique=False,
    )
    waiting = [_Waiting(pk, owner_of[identifier_id], *others) for identifier_id, pk, *others in rows]
    waiting.sort(key=attrgetter("triggered_at", "id"))
    return {(match.customer_id, match.rule_id): match for match in waiting}


def _restart_waits(
    project: Project, batch: _Batch, customers: Mapping[UUID, Customer], waiting: Mapping[Pair, _Waiting]
) -> list[_Waiting]:
    rules = RemarketingRule.objects.filter(
        pk__any_of={rule_id for _, rule_id in waiting}, entry_event=EntryEvent.SIGNAL
    )
    specs = {spec.id: spec for spec in rule_services.current_specs(project=project, rules=rules)} if waiting else {}
    restarted = []
    for (customer_id, rule_id), match in waiting.items():
        last = batch.last_signal_at.get(customer_id)
        spec = specs.get(rule_id)
        if spec is None or last is None or last < match.triggered_at:
            continue
        match.triggered_at = last
        match.due_at = schedule.due_at(
            last=last,
            wait=spec.wait,
            next_day_hour=spec.next_day_hour,
            zone=schedule.zone_of(customers[customer_id].time_zone, project.time_zone),
            hours=spec.hours,
        )
        restarted.append(match)
    _save_restarted(batch, restarted)
    return restarted


def _save_restarted(batch: _Batch, restarted: Sequence[_Waiting]) -> None:
    """Store when waits end now, and the newer values of those whose trigger held again."""
    times = ("triggered_at", "due_at", "attempts", "lease_token", "lease_until")
    bulk.change_rows(
        RuleMatch,
        key="id",
        fields=times,
        rows=((match.id, match.triggered_at, match.due_at, 0, None, None) for match in restarted),
    )
    held_again = (
        (match.id, signals[-1])
        for match in restarted
        if (signals := batch.holding.get((match.customer_id, match.rule_id)))
    )
    bulk.change_rows(
        RuleMatch,
        key="id",
        fields=("signal", "values"),
        rows=((match_id, last.signal.id, as_json(last.values)) for match_id, last in held_again),
    )


# --- New matches ----------------------------------------------------------------------------------------------------


MATCH_FIELDS = (
    *("id", "project", "rule", "rule_version", "identifier", "signal", "entry_key", "state", "reason", "arm"),
    *("triggered_at", "due_at", "created_at", "values", "gates", "attempts"),
)


def _create_matches(
    project: Project,
    batch: _Batch,
    customers: Mapping[UUID, Customer],
    fresh: Mapping[Pair, list[RecordedSignal]],
) -> list[datetime]:
    """Store a match for each pair that may enter, and return when they are due."""
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
    rows, dues = [], []
    for pair, situation in situations.items():
        spec, signals = specs[pair[1]], fresh[pair]
        decision = decide(spec, situation, batch.now)
        # Each signal that was refused counts, however they were batched; those that join a match that waits do not.
        batch.count(spec, decision.reason, 1 if decision.outcome is Outcome.PLAN else len(signals))
        if decision.outcome is Outcome.PLAN:
            rows.append(_new_match(project, spec, signals, situation, decision, batch.now))
            dues.append(decision.due_at)
    # The same occasion twice can only be a repeated batch: the first one stands.
    bulk.write_rows(RuleMatch, fields=MATCH_FIELDS, rows=rows, unique=("rule", "entry_key"))
    return dues


def _new_match(
    project: Project,
    spec: RuleSpec,
    signals: list[RecordedSignal],
    situation: Situation,
    decision: Decision,
    now: datetime,
) -> tuple[Any, ...]:
    """Return the values of `MATCH_FIELDS`."""
    first, last = signals[0].signal, signals[-1].signal
    occasion = (last.identifier_id, last.id, f"signal:{first.id}", MatchState.PLANNED.value, "", situation.arm.value)
    times = (situation.triggered_at, decision.due_at, now)
    found = (as_json(situation.values), [gate.as_json() for gate in decision.gates])
    return (new_id(), project.pk, spec.id, spec.version, *occasion, *times, *found, 0)


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are stored on a match: JSON knows no moments, so these become text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
