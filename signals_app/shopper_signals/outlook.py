"""
A folded state read at one moment, with what becomes of it when no further signal comes.

All quantities fade by the same factor, so they are read once; `hours` is counted from that moment on. `scoring.py` says
what the numbers mean and why they are what they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import LEAVING_DROP, Stage
from signals_app.shopper_signals.folding import IntentState

HIGH_INTEREST = 48.0
CONSIDERING_INTEREST = 24.0
BOUGHT_RECENTLY = timedelta(days=7)
LAPSED_AFTER = timedelta(days=30)
STEPS_A_HALF_LIFE = 24
LONGEST_STEP_HOURS = 6.0

ACTIVITY, VIEWS, CART, TIME, BACK, STAY, EASY = 27.0, 28.0, 18.0, 12.0, 3.0, 8.0, 2.0
DEAD_CLICKS_SHARE, LOOPS_SHARE = 0.12, 0.08
HALF_EVENTS, HALF_VIEWS = 8.0, 3.0
PERFORMANCE_UNTIL_KNOWN = 1.0
DAYS_OF_COMING_BACK = 7


@dataclass(frozen=True, slots=True)
class Usual:
    """
    What is usual in the shop: means a signal, and the median of `performance`. None: not known yet.

    `percentile` says what share of the shop's signals, 0 to 100, had less of a `performance`.
    """

    loops: float | None = None
    broken_buttons: float | None = None
    performance: float | None = None
    percentile: Callable[[float], float | None] | None = field(default=None, compare=False, repr=False)


class Outlook:
    """Score and stage of one shopper now and later."""

    def __init__(self, state: IntentState, usual: Usual, last_ordered_at: datetime | None, now: datetime) -> None:
        self.now_hours = decay.hours(now)
        self.half_life = float(state.half_life_hours)
        age, value = self.now_hours / self.half_life, decay.value
        self.present = value(state.signals_log2, age)
        self.events = value(state.events_log2, age)
        self.performance = value(state.performance_log2, age)
        self.products = value(state.products_log2, age)
        self.views = value(state.product_views_log2, age)
        self.cart = value(state.cart_log2, age)
        self.usual_performance = usual.performance or PERFORMANCE_UNTIL_KNOWN
        self.mean_drop = _ratio(state.drop_proba_log2, state.drop_proba_count_log2)
        self.stay = 0.0 if self.mean_drop is None else STAY * (1 - self.mean_drop)
        self.performance_percentile: float | None = None
        self._read_friction(state, usual)
        self._read_times(state, last_ordered_at, now)
        self.is_browsing = self.interest(0.0) < CONSIDERING_INTEREST

    def _read_friction(self, state: IntentState, usual: Usual) -> None:
        self.loops_ratio: float | None = None
        self.dead_click_ratio: float | None = None
        self.dead_click_excess: float | None = None
        if state.last_signal_at is not None:
            # Read at the last signal: later, numerator and denominator would only fade towards 0/0.
            age = decay.hours(state.last_signal_at) / self.half_life
            loops, dead_clicks = decay.value(state.loops_log2, age), decay.value(state.broken_buttons_log2, age)
            carried = decay.value(state.broken_buttons_count_log2, age)
            usual_loops = _usual_sum(state.loops_usual_log2, state.loops_bare_log2, usual.loops, age)
            usual_dead_clicks = _usual_sum(
                state.broken_buttons_usual_log2, state.broken_buttons_bare_log2, usual.broken_buttons, age
            )
            self.loops_ratio = _over(loops, usual_loops)
            self.dead_click_ratio = _over(dead_clicks, usual_dead_clicks)
            if usual_dead_clicks is not None and carried:
                self.dead_click_excess = (dead_clicks - usual_dead_clicks) / carried
            if usual.percentile is not None and state.performance_log2 is not None:
                self.performance_percentile = usual.percentile(decay.value(state.performance_log2, age))
        # Shares of what was gained that are lost again, and what is gained for each by less than is usual.
        self.loops_loss = LOOPS_SHARE * min(1.0, max(0.0, (self.loops_ratio or 0.0) - 1))
        self.dead_click_loss = DEAD_CLICKS_SHARE * min(1.0, max(0.0, self.dead_click_excess or 0.0))
        self.kept = 1 - self.dead_click_loss - self.loops_loss
        self.easy_loops = 0.0 if self.loops_ratio is None else EASY * max(0.0, 1 - self.loops_ratio)
        self.easy_clicks = 0.0 if self.dead_click_ratio is None else EASY * max(0.0, 1 - self.dead_click_ratio)
        self.getting_on = self.stay + self.easy_loops + self.easy_clicks

    def _read_times(self, state: IntentState, last_ordered_at: datetime | None, now: datetime) -> None:
        self.days_left = _days_left(state, now)
        self.bought_for = -math.inf if last_ordered_at is None else _hours(last_ordered_at + BOUGHT_RECENTLY - now)
        self.lapses_in = math.inf
        if state.last_signal_at is not None:
            self.lapses_in = _hours(state.last_signal_at + LAPSED_AFTER - now)
        self.step = min(self.half_life / STEPS_A_HALF_LIFE, LONGEST_STEP_HOURS)
        self.leaving_for = -math.inf
        if state.last_drop_proba is not None and state.last_drop_proba >= LEAVING_DROP - 1e-9:
            self.leaving_for = math.inf
        elif state.last_leaving_at is not None:
            self.leaving_for = _hours(state.last_leaving_at - now) + self.step

    def days(self, hours: float) -> int:
        """Return on how many of the last 7 days the shopper was here."""
        count = 0
        for left in self.days_left:
            if left > hours:
                count += 1
        return count

    def score(self, hours: float, days: int) -> float:
        """Return the score after some hours in which the shopper has been here on `days` of 7."""
        fade = math.exp2(-hours / self.half_life)
        active = self.events * fade / HALF_EVENTS
        active *= active
        looks = (self.products * fade + math.log2(1 + self.views * fade) / 2) / HALF_VIEWS
        looks *= looks
        spent = min(self.performance * fade / self.usual_performance, 1e6)
        spent *= spent
        return self.kept * (
            ACTIVITY * active / (active + 1)
            + VIEWS * looks / (looks + 1)
            + CART * min(1.0, self.cart * fade)
            + TIME * spent / (spent + 1)
            + _back(days)
            + self.getting_on * min(1.0, self.present * fade)
        )

    def points(self) -> tuple[float, ...]:
        """Return the points of each part now, in the order of `score_words`."""
        present = min(1.0, self.present)
        gains = (
            ACTIVITY * _half(self.events, HALF_EVENTS),
            VIEWS * _half(self.products + math.log2(1 + self.views) / 2, HALF_VIEWS),
            CART * min(1.0, self.cart),
            TIME * _half(self.performance, self.usual_performance),
            _back(self.days(0.0)),
            self.stay * present,
            self.easy_loops * present,
            self.easy_clicks * present,
        )
        gained = sum(gains)
        return (*gains, -gained * self.dead_click_loss, -gained * self.loops_loss)

    def interest(self, hours: float) -> float:
        """Return the points of which the stage is made, as of the beginning of the step that `hours` is in."""
        hours = self.step_begin(hours)
        fade = math.exp2(-hours / self.half_life)
        active = self.events * fade / HALF_EVENTS
        active *= active
        looks = (self.products * fade + math.log2(1 + self.views * fade) / 2) / HALF_VIEWS
        looks *= looks
        return (
            ACTIVITY * active / (active + 1)
            + VIEWS * looks / (looks + 1)
            + CART * min(1.0, self.cart * fade)
            + _back(self.days(hours))
        )

    def step_begin(self, hours: float) -> float:
        """Return when the step began that `hours` is in; below zero for the present one."""
        return math.floor((self.now_hours + hours) / self.step) * self.step - self.now_hours

    def stage(self, hours: float) -> Stage:
        if hours < self.bought_for:
            return Stage.BOUGHT_RECENTLY
        if hours >= self.lapses_in:
            return Stage.LAPSED
        if self.is_browsing and hours >= 0:
            return Stage.BROWSING  # interest only falls
        interest = self.interest(hours)
        if interest >= HIGH_INTEREST:
            return Stage.LEAVING_WITH_INTENT if hours < self.leaving_for else Stage.HIGH_INTENT
        return Stage.CONSIDERING if interest >= CONSIDERING_INTEREST else Stage.BROWSING


def _back(days: int) -> float:
    return 0.0 if days < 2 else BACK * min(2, days - 1) / 2


def _usual_sum(said: float | None, bare: float | None, shop_mean: float | None, age: float) -> float | None:
    """Return what would have been usual for the signals folded, or None if for some of them nobody knows."""
    if bare is not None and shop_mean is None:
        return None
    if said is None and bare is None:
        return 0.0
    return decay.value(said, age) + decay.value(bare, age) * (shop_mean or 0.0)


def _over(actual: float, usual: float | None) -> float | None:
    """Return actual/usual; above a usual level of nothing, everything is far above."""
    if usual is None:
        return None
    if usual > 0:
        return min(actual / usual, 1_000.0)
    return 1_000.0 if actual > 0 else 1.0


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if denominator is None:
        return None
    return 0.0 if numerator is None else min(1.0, 2.0 ** (numerator - denominator))


def _half(amount: float, at_half: float) -> float:
    share = min(amount / at_half, 1e6) ** 2
    return share / (share + 1)


def _days_left(state: IntentState, now: datetime) -> list[float]:
    """
    Return for how many hours yet each day with signals is one of the last 7 days (UTC).

    Below zero for a day that is one no more: a step that has begun before may still count it.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (today - timedelta(days=DAYS_OF_COMING_BACK)).date().isoformat()
    left_of_today = 24 - _hours(now - today)
    return [
        left_of_today + 24 * (DAYS_OF_COMING_BACK - 1 - (today.date() - date.fromisoformat(day)).days)
        for day in state.day_counts
        if day >= since
    ]


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600
