"""Recording signals: append, fold, score, and say what triggers need to know."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any

from django.db import transaction

from signals_app.core import bulk
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals import folding
from signals_app.shopper_signals.baseline import Baseline
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.interests import PagesRead
from signals_app.shopper_signals.models import Interest, ShopperSignal
from signals_app.shopper_signals.scoring import Assessment, Usual
from signals_app.shopper_signals.services import baselines, pages, profiles
from signals_app.shopper_signals.services.interest_rows import InterestGathering

LARGEST_COUNT = 2**63 - 1
"""What a column holds; a count that was larger is stored as this, too."""
SECONDS_A_DAY = 86_400
NUMBERS = ("drop_proba", "performance", "avg_loops", "avg_broken_buttons")
COUNTS = ("num_events", "num_loops", "num_broken_buttons")
DETAILS = ("relevant_events", "extra", "issues")
WRITTEN_FIELDS = ("id", "received_at", "occurred_at", *NUMBERS, *COUNTS, *DETAILS)
_written = attrgetter(*WRITTEN_FIELDS)
LEAST_USUAL_LOOPS = 0.1
"""Going back and forth is compared with at least this: nothing is infinitely many times the usual."""


@dataclass(slots=True, kw_only=True)
class NewSignal:
    """
    A signal as it was parsed; `id` is its delivery's. A number that is not clean is None and named in `issues`; one
    that no column could hold becomes None.

    `relevant_events`: [{"name": str}, ...]; `issues`: [{"field": str, "problem": str}, ...]; times are aware UTC.
    """

    id: uuid.UUID
    received_at: datetime
    identifier: Identifier | None = None
    drop_proba: float | None = None
    performance: float | None = None
    num_events: int | None = None
    num_loops: int | None = None
    num_broken_buttons: int | None = None
    avg_loops: float | None = None
    avg_broken_buttons: float | None = None
    relevant_events: list[Any] = field(default_factory=list)
    occurred_at: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    issues: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            # Neither NaN nor infinity; both comparisons are false for NaN.
            if value is not None and not 0 <= value < math.inf:
                setattr(self, name, None)
        if self.drop_proba is not None and self.drop_proba > 1:
            self.drop_proba = None
        for name in COUNTS:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LARGEST_COUNT:
                setattr(self, name, None)

    @property
    def identifier_id(self) -> int | None:
        return None if self.identifier is None else self.identifier.pk


AnySignal = NewSignal | ShopperSignal
"""A signal about to be stored, or one that is."""


@dataclass(slots=True)
class RecordedSignal:
    """A signal that was really inserted, whose shopper it is, and what a trigger may ask of it."""

    signal: AnySignal
    customer_id: uuid.UUID | None
    values: dict[str, Any]
    """The fields of scope "signal", by name; None is unknown."""


@dataclass(slots=True)
class Folded:
    """What a batch came to, for the values of its signals."""

    states: dict[uuid.UUID, IntentState]
    assessments: dict[uuid.UUID, Assessment]
    interested: set[uuid.UUID]
    baseline: Baseline
    usual: Usual


@transaction.atomic
def record_signals(
    *,
    project: Project,
    signals: Sequence[NewSignal],
    locked: Mapping[uuid.UUID, Customer] | None = None,
    now: datetime,
) -> list[RecordedSignal]:
    """
    Append signals, fold them into their shoppers' profiles and interests, and return those that are new.

    A signal whose id is stored already is left out, so nothing is folded twice. The number of statements does not
    depend on the number of signals. The values are those after the whole batch. All signals belong to `project`.

    `locked`: the customers of the signals, from a caller who has them locked in this transaction since it learned whose
    the signals are, as `customers.resolve` does. Without it they are locked here.

    :raises IdentityKeepsMoving: if other transactions kept joining the customers; try again later.
    """
    customer_of = _customers_held(signals, locked) if locked is not None else _lock_customers(signals)
    fresh = _append(project, signals, customer_of)
    if not fresh:
        return []
    read = pages.read_pages(project=project, events={signal.id: signal.relevant_events for signal in fresh})
    folded = _fold(project, fresh, customer_of, read, now)
    return [
        RecordedSignal(signal, customer_id, values_of(signal, customer_id, read[signal.id], folded))
        for signal in fresh
        for customer_id in [customer_of.get(signal.identifier_id) if signal.identifier_id else None]
    ]


def _customers_held(signals: Sequence[NewSignal], locked: Mapping[uuid.UUID, Customer]) -> dict[int, uuid.UUID]:
    """Return {identifier id: customer id} of identifiers that cannot move, since their customers are locked."""
    return {
        signal.identifier.pk: signal.identifier.customer_id
        for signal in signals
        if signal.identifier and signal.identifier.customer_id in locked
    }


def _lock_customers(signals: Sequence[NewSignal]) -> dict[int, uuid.UUID]:
    """Lock the customers of the signals' identifiers; return {identifier id: customer id} as it is under the lock."""
    owners = customer_services.lock_owners({signal.identifier.pk for signal in signals if signal.identifier})
    return {identifier: customer.pk for identifier, customer in owners.items()}


def _append(project: Project, signals: Sequence[NewSignal], customer_of: Mapping[int, uuid.UUID]) -> list[NewSignal]:
    """
    Insert the signals that are not stored yet, and return them.

    Whoever stores the same signal at the same time waits for the lock of its customer; for a signal of nobody the
    primary key refuses the second, and the batch is tried again.
    """
    by_id: dict[uuid.UUID, NewSignal] = {}
    for signal in signals:
        by_id.setdefault(signal.id, signal)
    stored = {pk for (pk,) in bulk.read_rows(ShopperSignal.objects.filter(pk__any_of=by_id).values_list("pk"))}
    fresh = [signal for signal in by_id.values() if signal.id not in stored]
    for signal in fresh:
        if signal.identifier_id not in customer_of:
            signal.identifier = None  # erased meanwhile
    bulk.write_rows(
        ShopperSignal,
        fields=("project", "identifier", *WRITTEN_FIELDS),
        rows=((project.pk, signal.identifier_id, *_written(signal)) for signal in fresh),
    )
    return fresh


def _fold(
    project: Project,
    rows: Sequence[NewSignal],
    customer_of: Mapping[int, uuid.UUID],
    read: Mapping[uuid.UUID, PagesRead],
    now: datetime,
) -> Folded:
    by_customer: dict[uuid.UUID, list[NewSignal]] = {}
    for row in rows:
        if row.identifier_id:
            by_customer.setdefault(customer_of[row.identifier_id], []).append(row)
    states, before = profiles.load_states(project=project, customer_ids=by_customer)
    gathering = InterestGathering()
    for customer_id, own in by_customer.items():
        state = states[customer_id]
        folding.fold(state, [pages.facts_of(row, read[row.id]) for row in own])
        for row in own:
            gathering.add(
                customer_id,
                read[row.id].weights,
                signal_id=row.id,
                received_at=row.received_at,
                half_life_hours=state.half_life_hours,
            )
    days = _by_day(rows)
    baseline = baselines.recent_baseline(project=project, now=now, unsaved=days)
    usual = baselines.usual_of(baseline)
    assessments = profiles.save_states(project=project, states=states, before=before, usual=usual, now=now)
    gathering.save()
    baselines.add_to_days(project=project, days=days)
    return Folded(states, assessments, _interested(states, gathering), baseline, usual)


def _by_day(rows: Sequence[NewSignal]) -> dict[date, Baseline]:
    days: dict[date, Baseline] = {}
    for row in rows:
        day = days.setdefault(row.received_at.astimezone(UTC).date(), Baseline())
        day.note(loops=row.num_loops, broken_buttons=row.num_broken_buttons, performance=row.performance)
    return days


def _interested(states: Mapping[uuid.UUID, IntentState], gathering: InterestGathering) -> set[uuid.UUID]:
    """Return the customers who have any interest."""
    found = {customer_id for customer_id, _, _ in gathering.rows}
    open_ = set(states) - found
    if open_:
        found.update(
            Interest.objects.filter(customer_id__any_of=open_).values_list("customer_id", flat=True).distinct()
        )
    return found


def values_of(row: AnySignal, customer_id: uuid.UUID | None, read: PagesRead, folded: Folded) -> dict[str, Any]:
    """Return the fields of scope "signal"; None is unknown, and makes every comparison false."""
    num_events, num_loops, num_broken_buttons = (_known(getattr(row, name)) for name in COUNTS)
    usual_loops = row.avg_loops if row.avg_loops is not None else folded.usual.loops
    usual_dead = row.avg_broken_buttons if row.avg_broken_buttons is not None else folded.usual.broken_buttons
    values: dict[str, Any] = {
        "drop_proba": row.drop_proba,
        "performance": row.performance,
        "performance_percentile": None if row.performance is None else folded.baseline.percentile(row.performance),
        "num_events": num_events,
        "num_loops": num_loops,
        "num_broken_buttons": num_broken_buttons,
        "avg_loops": row.avg_loops,
        "avg_broken_buttons": row.avg_broken_buttons,
        "loops_ratio": None
        if num_loops is None or usual_loops is None
        else num_loops / max(usual_loops, LEAST_USUAL_LOOPS),
        "dead_clicks_over_usual": None
        if num_broken_buttons is None or usual_dead is None
        else num_broken_buttons - usual_dead,
        "viewed_product_keys": list(read.views),
        "products_viewed": len(read.views),
        "most_views_of_one_product": read.most_views_of_one_product,
        "visited_cart": read.visited_cart,
        "is_clean": not row.issues,
        "days_since_previous_signal": None,
        "intent_score": None,
        "stage": None,
        "has_interest": None,
    }
    if customer_id is not None:
        state, assessed = folded.states[customer_id], folded.assessments[customer_id]
        values.update(
            days_since_previous_signal=_days_away(state),
            intent_score=assessed.score,
            stage=assessed.stage.value,
            has_interest=customer_id in folded.interested,
        )
    return values


def _known(count: int | None) -> int | None:
    """Return None for a count that is only known to have been too large: nothing may act on it."""
    return None if count == LARGEST_COUNT else count


def _days_away(state: IntentState) -> float | None:
    """Return how many days lay between the last visit and the one before; None if there was none."""
    if state.visit_started_at is None or state.previous_signal_at is None:
        return None
    return max(0.0, (state.visit_started_at - state.previous_signal_at).total_seconds() / SECONDS_A_DAY)
