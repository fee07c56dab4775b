"""
The intent score and the stage of a shopper, from what their signals add up to.

The score runs from 0 to 100 and is a sum of parts; `half(x, k)` is x² / (x² + k²), which is 1/2 at x = k. Quantities
are those of `folding.py` faded to the present (units: counts; `performance` has no documented unit). `products` is the
most different products of one signal, `views` their sum over all signals, damped because a visit is reported often.

    part              points                                   at half
    Activity          27 * half(events, 8)                     8 events in one visit
    Products viewed   28 * half(products + log2(1 + views)/2, 3)   2 different ones, twice
    Cart              18 * min(1, cart)                        linear: full for one visit to cart or checkout
    Time spent        12 * half(performance, usual)            the usual level of the shop, 1 until that is known
    Likely to stay     8 * (1 - mean drop_proba) * present     decayed mean of the probability of leaving
    Came back          3 * (days of the last 7 - 1) / 2        full on the third day
    Easy going         2 * (1 - loops/usual) * present         and the same for dead clicks: less than is usual

What gets in the way takes a share of all that: up to 12 % for dead clicks (at one more than usual a signal) and up to
8 % for going back and forth (at twice the usual). What is usual comes from the averages in the signals, and for
signals without them from the shop's own last 7 days; unknown counts as usual. `present` is min(1, decayed number of
signals), so that all parts fade. Without a new signal the score never rises.

Why these numbers: the fields are those of Insightarc's documented body (contract/insightarc-webhooks.txt), which says
what each counts but not how it relates to buying. So the weights are a reasoned start: what a shopper does with
products (views, cart) weighs 46, how much they do 42, how they are getting on 12. The most a page view alone can give
stays far below 40, and a visit that reaches the cart after 25 events with two products gives over 60.

The stage is a function of state and time:

    bought_recently       an order in the last 7 days
    lapsed                no signal for 30 days
    leaving_with_intent   score >= 60 and about to leave
    high_intent           score >= 60
    considering           score >= 30
    browsing              else

A shopper is about to leave when the last drop_proba, or its mean with the fast half-life, is at least 0.8: entered at
once. It ends when neither holds and either the mean with the slow half-life is below 0.5 or the highest drop_proba,
fading with the fast half-life, is below 0.8: alternating signals do not make the stage flap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.folding import FAST, IntentState

HIGH_SCORE = 60.0
CONSIDERING_SCORE = 30.0
LEAVING_DROP = 0.8
STILL_LEAVING_DROP = 0.5
BOUGHT_RECENTLY = timedelta(days=7)
LAPSED_AFTER = timedelta(days=30)
NOTICEABLE_POINTS = 2.0
"""A profile is looked at again when its score will have changed by this much, or its stage."""

ACTIVITY, VIEWS, CART, TIME, BACK, STAY, EASY = 27.0, 28.0, 18.0, 12.0, 3.0, 8.0, 2.0
DEAD_CLICKS_SHARE, LOOPS_SHARE = 0.12, 0.08
HALF_EVENTS, HALF_VIEWS = 8.0, 3.0
PERFORMANCE_UNTIL_KNOWN = 1.0

_REVIEW_STEPS = 5


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in the shop: means a signal, and the median of `performance`. None: not known yet."""

    loops: float | None = None
    broken_buttons: float | None = None
    performance: float | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """One part of a score, in a marketer's words; `points` may be negative."""

    name: str
    points: float
    detail: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """
    What a state means at one moment. The points of the contributions add up to the score.

    `review_at` is when the score will have changed noticeably, or the stage at all; None if neither ever will.
    """

    score: float
    stage: Stage
    contributions: tuple[Contribution, ...]
    review_at: datetime | None


def assess(state: IntentState, *, usual: Usual, last_ordered_at: datetime | None, now: datetime) -> Assessment:
    """Return score, stage and contributions of a state at `now`, and until when that is good enough."""
    outlook = _Outlook(state, usual, last_ordered_at, now)
    contributions = tuple(
        Contribution(name, rounded, detail)
        for (name, detail), points in zip(outlook.words(), outlook.points(), strict=True)
        if (rounded := round(points, 2))
    )
    score = _total(part.points for part in contributions)
    stage = outlook.stage(0.0, outlook.score(0.0))  # unrounded, as when the next change is looked for
    due = _next_change(outlook, score, stage)
    return Assessment(score, stage, contributions, None if due is None else now + timedelta(hours=due))


def score_at(state: IntentState, *, usual: Usual, now: datetime) -> float:
    """Return the score of a state at `now`, as `assess` does, without looking for words, stage and future."""
    return _total(round(points, 2) for points in _Outlook(state, usual, None, now).points())


def _total(points: Iterable[float]) -> float:
    return round(min(100.0, max(0.0, sum(points))), 2)


def _next_change(outlook: _Outlook, score: float, stage: Stage) -> float | None:
    """Return in how many hours score or stage will have changed; None if never."""

    def has_changed(hours: float) -> bool:
        later = outlook.score(hours)
        return score - later >= NOTICEABLE_POINTS or outlook.stage(hours, later) != stage

    earliest, latest = 0.0, outlook.horizon()
    if not has_changed(latest):
        return None
    # What has changed stays changed (the score only falls, stages follow it), so halving finds the first moment. Most
    # changes come soon, so it looks there first.
    soon = latest / 64
    while soon < latest and not has_changed(soon):
        earliest, soon = soon, soon * 2
    latest = min(soon, latest)
    for _ in range(_REVIEW_STEPS):
        middle = (earliest + latest) / 2
        if has_changed(middle):
            latest = middle
        else:
            earliest = middle
    return latest


class _Outlook:
    """
    A state read at one moment, with what will become of it when no further signal comes.

    All slow quantities fade by the same factor, so they are read once; `hours` is counted from that moment on.
    """

    def __init__(self, state: IntentState, usual: Usual, last_ordered_at: datetime | None, now: datetime) -> None:
        age = state.age_units(now)
        value = decay.value
        self.half_life = float(state.half_life_hours)
        self.present = value(state.signals_log2, age)
        self.events = value(state.events_log2, age)
        self.performance = value(state.performance_log2, age)
        self.products = value(state.products_log2, age)
        self.views = value(state.product_views_log2, age)
        self.cart = value(state.cart_log2, age)
        self.usual_performance = usual.performance or PERFORMANCE_UNTIL_KNOWN
        self.mean_drop = _ratio(state.drop_proba_log2, state.drop_proba_count_log2)
        self._read_friction(state, usual)
        self.days_left = _days_left(state, now)
        self.bought_for = math.inf if last_ordered_at is None else _hours(last_ordered_at + BOUGHT_RECENTLY - now)
        self.has_bought = last_ordered_at is not None
        self.lapses_in = math.inf
        if state.last_signal_at is not None:
            self.lapses_in = _hours(state.last_signal_at + LAPSED_AFTER - now)
        self.is_leaving_now = _is_about_to_leave(state)
        self.was_leaving_for = _hours_of_peak(state, now) if _at_least(self.mean_drop, STILL_LEAVING_DROP) else -1.0

    def _read_friction(self, state: IntentState, usual: Usual) -> None:
        self.loops_ratio: float | None = None
        self.dead_click_ratio: float | None = None
        self.dead_click_excess: float | None = None
        if state.last_signal_at is not None:
            # Read at the last signal: later, numerator and denominator would only fade towards 0/0.
            age = state.age_units(state.last_signal_at)
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
        # Shares of what was gained that are lost again, and what is gained for each by less than is usual.
        self.loops_loss = LOOPS_SHARE * min(1.0, max(0.0, (self.loops_ratio or 0.0) - 1))
        self.dead_click_loss = DEAD_CLICKS_SHARE * min(1.0, max(0.0, self.dead_click_excess or 0.0))
        self.easy_loops = 0.0 if self.loops_ratio is None else max(0.0, 1 - self.loops_ratio)
        self.easy_clicks = 0.0 if self.dead_click_ratio is None else max(0.0, 1 - self.dead_click_ratio)

    def gains(self, hours: float) -> tuple[float, ...]:
        """Return the points gained by each part, none of which grows with time."""
        fade = math.exp2(-hours / self.half_life)
        present = min(1.0, self.present * fade)
        looks = self.products * fade + math.log2(1 + self.views * fade) / 2
        days = sum(1 for left in self.days_left if left > hours)
        return (
            ACTIVITY * _half(self.events * fade, HALF_EVENTS),
            VIEWS * _half(looks, HALF_VIEWS),
            CART * min(1.0, self.cart * fade),
            TIME * _half(self.performance * fade, self.usual_performance),
            BACK * min(2, max(0, days - 1)) / 2,
            0.0 if self.mean_drop is None else STAY * (1 - self.mean_drop) * present,
            EASY * self.easy_loops * present,
            EASY * self.easy_clicks * present,
        )

    def points(self) -> tuple[float, ...]:
        gains = self.gains(0.0)
        gained = sum(gains)
        return (*gains, -gained * self.dead_click_loss, -gained * self.loops_loss)

    def score(self, hours: float) -> float:
        return sum(self.gains(hours)) * (1 - self.dead_click_loss - self.loops_loss)

    def stage(self, hours: float, score: float) -> Stage:
        if self.has_bought and hours < self.bought_for:
            return Stage.BOUGHT_RECENTLY
        if hours >= self.lapses_in:
            return Stage.LAPSED
        if score >= HIGH_SCORE:
            is_leaving = self.is_leaving_now or hours <= self.was_leaving_for
            return Stage.LEAVING_WITH_INTENT if is_leaving else Stage.HIGH_INTENT
        return Stage.CONSIDERING if score >= CONSIDERING_SCORE else Stage.BROWSING

    def horizon(self) -> float:
        """Return in how many hours there is the next fixed change of stage, or after which nothing is left to fade."""
        fixed = [hours for hours in (self.bought_for, self.lapses_in) if 0 < hours < math.inf]
        return min(fixed, default=10 * self.half_life)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Return (name, detail) of each of `points`."""
        days = sum(1 for left in self.days_left if left > 0)
        return (
            ("Activity", f"{self.events:.0f} events"),
            ("Products viewed", f"{self.products:.0f} at a time"),
            ("Cart", "Cart or checkout visited"),
            ("Time spent", f"index {self.performance:.2f}"),
            ("Came back", f"here on {days} of the last 7 days"),
            ("Likely to stay", f"exit likelihood {self.mean_drop or 0:.0%} on average"),
            ("Little back-and-forth", f"{self.loops_ratio or 0:.0%} of the usual level"),
            ("Few dead clicks", f"{self.dead_click_ratio or 0:.0%} of the usual level"),
            ("Dead clicks", f"{self.dead_click_excess or 0:.1f} above the usual level"),
            ("Back-and-forth", f"{self.loops_ratio or 0:.1f} times the usual level"),
        )


def _is_about_to_leave(state: IntentState) -> bool:
    if _at_least(state.last_drop_proba, LEAVING_DROP):
        return True
    return _at_least(_ratio(state.drop_proba_fast_log2, state.drop_proba_count_fast_log2), LEAVING_DROP)


def _hours_of_peak(state: IntentState, now: datetime) -> float:
    """Return for how many hours yet the highest drop_proba, fading fast, is high; negative if it no longer is."""
    if state.drop_proba_peak_fast_log2 is None:
        return -1.0
    units = state.drop_proba_peak_fast_log2 - math.log2(LEAVING_DROP) - state.age_units(now) * FAST
    return units * state.half_life_hours / FAST


def _usual_sum(said: float | None, bare: float | None, shop_mean: float | None, age: float) -> float | None:
    """Return what would have been usual for the signals folded, or None if for some of them nobody knows."""
    if bare is not None and shop_mean is None:
        return None
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


def _at_least(value: float | None, threshold: float) -> bool:
    return value is not None and value >= threshold - 1e-9


def _half(amount: float, at_half: float) -> float:
    share = min(amount / at_half, 1e6) ** 2
    return share / (share + 1)


def _days_left(state: IntentState, now: datetime) -> list[float]:
    """Return for how many hours yet each day with signals is one of the last 7 days (UTC)."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (today - timedelta(days=6)).date().isoformat()
    left_of_today = 24 - _hours(now - today)
    return [
        left_of_today + 24 * (6 - (today.date() - date.fromisoformat(day)).days)
        for day in state.day_counts
        if day >= since
    ]


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600
