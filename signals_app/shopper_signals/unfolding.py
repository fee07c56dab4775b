"""
What a shopper's state was before their latest signals, taken out of the state again.

Only the state after all signals is stored. Sums can be subtracted; of a peak that the latest signals set themselves
only a bound is known, and it counts as nothing: before those signals the score may then be drawn too low.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from signals_app.shopper_signals.folding import PEAKS, SUMS, IntentState, SignalFacts, fold

NOTHING_LEFT = 1e-9
"""Less than this share of a sum is what subtracting has left of rounding."""


def states_after(state: IntentState, latest: Iterable[SignalFacts]) -> Iterator[tuple[SignalFacts, IntentState]]:
    """
    Yield each of the latest signals that a state has folded, oldest first, with the state that it led to.

    It is always the same object, which goes on changing. After the last it is the given state again, as far as the
    score needs it.
    """
    signals = sorted(latest, key=lambda signal: (signal.received_at, signal.id))
    moving = before(state, signals)
    for signal in signals:
        fold(moving, [signal])
        yield signal, moving


def before(state: IntentState, latest: list[SignalFacts]) -> IntentState:
    """Return the sums, peaks and counts of a state without its latest signals."""
    taken = IntentState(state.half_life_hours)
    fold(taken, latest)
    left = IntentState(state.half_life_hours)
    if taken.signal_count >= state.signal_count:
        return left
    left.signal_count = state.signal_count - taken.signal_count
    left.first_signal_at = state.first_signal_at
    for name in SUMS:
        setattr(left, name, _without(getattr(state, name), getattr(taken, name)))
    for name in PEAKS:
        whole, part = getattr(state, name), getattr(taken, name)
        setattr(left, name, whole if part is None or (whole is not None and whole > part + NOTHING_LEFT) else None)
    for day, count in state.day_counts.items():
        if count > taken.day_counts.get(day, 0):
            left.day_counts[day] = count - taken.day_counts.get(day, 0)
    return left


def _without(whole: float | None, part: float | None) -> float | None:
    """Return the logarithm of 2^whole - 2^part, or None if nothing is left."""
    if whole is None or part is None:
        return whole
    share = 1 - 2.0 ** min(0.0, part - whole)
    return whole + math.log2(share) if share > NOTHING_LEFT else None
