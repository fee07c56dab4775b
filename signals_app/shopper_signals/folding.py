"""
Adding signals up: one shopper's state after any number of signals, in a size that does not grow with them.

Folding is commutative and associative, and so is merging two states: the same signals give the same state (to 1e-6)
in whatever order and batches they arrive. Each signal must be folded once; the caller sees to that.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import DAYS_COUNTED, LEAVING_DROP, VISIT_GAP

# The most that one signal counts for, whatever it says: without it one absurd signal would outlive all others.
MOST_EVENTS = 500.0
MOST_PERFORMANCE = 10_000.0
MOST_PRODUCTS = 20.0
MOST_FRICTION = 100.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SLOT = VISIT_GAP // _MICROSECOND
_SLOTS_KEPT = timedelta(days=1) // VISIT_GAP


class SignalFacts(NamedTuple):
    """What folding needs of one signal. A number that is unknown, negative or not finite adds nothing."""

    id: uuid.UUID
    received_at: datetime
    drop_proba: float | None = None
    performance: float | None = None
    num_events: float | None = None
    num_loops: float | None = None
    num_broken_buttons: float | None = None
    avg_loops: float | None = None
    avg_broken_buttons: float | None = None
    products_viewed: int = 0
    """Different products among its pages."""
    visited_cart: bool = False


@dataclass(slots=True)
class IntentState:
    """
    The folded signals of one shopper; the columns of the same names of `IntentProfile`.

    `events`, `performance` and `products` (different ones in one signal) are peaks, since a visit's signals report
    totals that rise; the rest are sums: `product_views` different products a signal, `cart` signals that show the cart
    or checkout, `drop_proba` and the number of signals that carry it, `loops` and `broken_buttons` with what was usual
    according to the signals (`_usual`), and the number of signals that did not say (`_bare`). `last_leaving_at` is the
    latest moment at which a signal said that the shopper was about to leave.
    """

    half_life_hours: int
    signal_count: int = 0
    first_signal_at: datetime | None = None
    last_signal_at: datetime | None = None
    last_signal_id: uuid.UUID | None = None
    last_drop_proba: float | None = None
    last_drop_at: datetime | None = None
    last_drop_id: uuid.UUID | None = None
    last_leaving_at: datetime | None = None
    visit_started_at: datetime | None = None
    previous_signal_at: datetime | None = None
    recent_slots: dict[str, list[int]] = field(default_factory=dict)
    before_slots_at: datetime | None = None
    day_counts: dict[str, int] = field(default_factory=dict)
    signals_log2: float | None = None
    events_log2: float | None = None
    performance_log2: float | None = None
    products_log2: float | None = None
    product_views_log2: float | None = None
    cart_log2: float | None = None
    drop_proba_log2: float | None = None
    drop_proba_count_log2: float | None = None
    loops_log2: float | None = None
    loops_usual_log2: float | None = None
    loops_bare_log2: float | None = None
    broken_buttons_log2: float | None = None
    broken_buttons_usual_log2: float | None = None
    broken_buttons_bare_log2: float | None = None
    broken_buttons_count_log2: float | None = None

    def age_units(self, moment: datetime) -> float:
        """Return t/h for a moment."""
        return decay.hours(moment) / self.half_life_hours


STATE_FIELDS = tuple(one.name for one in fields(IntentState))
PEAKS = frozenset({"events_log2", "performance_log2", "products_log2"})
SUMS = tuple(name for name in STATE_FIELDS if name.endswith("_log2") and name not in PEAKS)


def fold(state: IntentState, signals: Iterable[SignalFacts]) -> None:
    """Add signals to a state, in place."""
    for signal in signals:
        _fold_quantities(state, signal)
        _fold_friction(state, signal)
        _fold_times(state, signal)
    _forget_old(state)
    _read_visits(state)


def merge(state: IntentState, other: IntentState) -> None:
    """
    Add another state to a state, in place: the result is that of all signals of both.

    :raises ValueError: if they were folded with different half-lives; they have to be folded anew.
    """
    if state.half_life_hours != other.half_life_hours:
        raise ValueError(f"Half-lives differ: {state.half_life_hours} and {other.half_life_hours} hours")
    for name in SUMS:
        setattr(state, name, decay.add(getattr(state, name), getattr(other, name)))
    for name in PEAKS:
        setattr(state, name, decay.larger(getattr(state, name), getattr(other, name)))
    state.signal_count += other.signal_count
    state.first_signal_at = _earlier(state.first_signal_at, other.first_signal_at)
    if other.last_signal_at and other.last_signal_id:
        _note_last(state, other.last_signal_at, other.last_signal_id)
    if other.last_drop_at and other.last_drop_id and other.last_drop_proba is not None:
        _note_drop(state, other.last_drop_at, other.last_drop_id, other.last_drop_proba)
    state.last_leaving_at = _later(state.last_leaving_at, other.last_leaving_at)
    for slot, (first, last) in other.recent_slots.items():
        _widen(state.recent_slots, slot, first, last)
    state.before_slots_at = _later(state.before_slots_at, other.before_slots_at)
    for day, count in other.day_counts.items():
        state.day_counts[day] = state.day_counts.get(day, 0) + count
    _forget_old(state)
    _read_visits(state)


def _fold_quantities(state: IntentState, signal: SignalFacts) -> None:
    slow = state.age_units(signal.received_at)
    add, larger, log2_of = decay.add, decay.larger, decay.log2_of
    state.signals_log2 = add(state.signals_log2, slow)
    state.events_log2 = larger(state.events_log2, log2_of(signal.num_events, slow, most=MOST_EVENTS))
    state.performance_log2 = larger(state.performance_log2, log2_of(signal.performance, slow, most=MOST_PERFORMANCE))
    products = log2_of(signal.products_viewed, slow, most=MOST_PRODUCTS)
    state.products_log2 = larger(state.products_log2, products)
    state.product_views_log2 = add(state.product_views_log2, products)
    if signal.visited_cart:
        state.cart_log2 = add(state.cart_log2, slow)
    drop = signal.drop_proba
    if drop is not None and 0 <= drop <= 1:
        state.drop_proba_log2 = add(state.drop_proba_log2, log2_of(drop, slow, most=1))
        state.drop_proba_count_log2 = add(state.drop_proba_count_log2, slow)
        if drop >= LEAVING_DROP - 1e-9:
            state.last_leaving_at = _later(state.last_leaving_at, signal.received_at)
        _note_drop(state, signal.received_at, signal.id, drop)


def _fold_friction(state: IntentState, signal: SignalFacts) -> None:
    slow = state.age_units(signal.received_at)
    add, log2_of = decay.add, decay.log2_of
    if signal.num_loops is not None and signal.num_loops >= 0:
        state.loops_log2 = add(state.loops_log2, log2_of(signal.num_loops, slow, most=MOST_FRICTION))
        if signal.avg_loops is None:
            state.loops_bare_log2 = add(state.loops_bare_log2, slow)
        else:
            state.loops_usual_log2 = add(state.loops_usual_log2, log2_of(signal.avg_loops, slow, most=MOST_FRICTION))
    if signal.num_broken_buttons is not None and signal.num_broken_buttons >= 0:
        state.broken_buttons_log2 = add(
            state.broken_buttons_log2, log2_of(signal.num_broken_buttons, slow, most=MOST_FRICTION)
        )
        state.broken_buttons_count_log2 = add(state.broken_buttons_count_log2, slow)
        if signal.avg_broken_buttons is None:
            state.broken_buttons_bare_log2 = add(state.broken_buttons_bare_log2, slow)
        else:
            state.broken_buttons_usual_log2 = add(
                state.broken_buttons_usual_log2, log2_of(signal.avg_broken_buttons, slow, most=MOST_FRICTION)
            )


def _fold_times(state: IntentState, signal: SignalFacts) -> None:
    moment = signal.received_at
    state.signal_count += 1
    state.first_signal_at = _earlier(state.first_signal_at, moment)
    _note_last(state, moment, signal.id)
    micros = (moment - _EPOCH) // _MICROSECOND
    _widen(state.recent_slots, str(micros // _SLOT), micros, micros)
    day = moment.astimezone(UTC).date().isoformat()
    state.day_counts[day] = state.day_counts.get(day, 0) + 1


def _note_last(state: IntentState, moment: datetime, signal_id: uuid.UUID) -> None:
    if state.last_signal_at is None or state.last_signal_id is None:
        is_last = True
    else:
        is_last = (moment, signal_id) > (state.last_signal_at, state.last_signal_id)
    if is_last:
        state.last_signal_at, state.last_signal_id = moment, signal_id


def _note_drop(state: IntentState, moment: datetime, signal_id: uuid.UUID, drop_proba: float) -> None:
    if state.last_drop_at is None or state.last_drop_id is None:
        is_last = True
    else:
        is_last = (moment, signal_id) > (state.last_drop_at, state.last_drop_id)
    if is_last:
        state.last_drop_at, state.last_drop_id, state.last_drop_proba = moment, signal_id, drop_proba


def _widen(slots: dict[str, list[int]], slot: str, first: int, last: int) -> None:
    known = slots.get(slot)
    slots[slot] = [min(known[0], first), max(known[1], last)] if known else [first, last]


# Note [Visits in any order]
# A visit ends with a pause. Kept as a chain of visits, the answer would depend on the order of arrival: a late signal
# can join two visits. So the first and last moment of each half hour is kept, which any order fills alike, for a day
# back from the last signal, and of all before only the latest moment. Visits are read from that: within a half hour
# no pause is long enough, between two half hours it is the first of one less the last of the other.


def _forget_old(state: IntentState) -> None:
    """Drop half hours and days that the last signal has left behind (Note [Visits in any order])."""
    if state.last_signal_at is None:
        return
    newest = (state.last_signal_at - _EPOCH) // _MICROSECOND // _SLOT
    for slot in [slot for slot in state.recent_slots if int(slot) <= newest - _SLOTS_KEPT]:
        _, last = state.recent_slots.pop(slot)
        state.before_slots_at = _later(state.before_slots_at, _moment(last))
    oldest_day = (state.last_signal_at.astimezone(UTC).date() - timedelta(days=DAYS_COUNTED - 1)).isoformat()
    for day in [day for day in state.day_counts if day < oldest_day]:
        del state.day_counts[day]


def _read_visits(state: IntentState) -> None:
    """Set when the last visit began and when the one before ended (Note [Visits in any order])."""
    if not state.recent_slots:
        return
    spans = sorted(state.recent_slots.values(), reverse=True)
    start = spans[0][0]
    state.previous_signal_at = state.before_slots_at
    for first, last in spans[1:]:
        if start - last >= _SLOT:
            state.previous_signal_at = _moment(last)
            break
        start = first
    state.visit_started_at = _moment(start)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _earlier(left: datetime | None, right: datetime | None) -> datetime | None:
    return min(left, right) if left and right else left or right


def _later(left: datetime | None, right: datetime | None) -> datetime | None:
    return max(left, right) if left and right else left or right
