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
once. It ends when neither holds and either the mean with the slow half-life is below 0.6 or the highest drop_proba,
fading with the fast half-life, is below 0.8: alternating signals do not make the stage flap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.folding import FAST, IntentState

HIGH_SCORE = 60.0
CONSIDERING_SCORE = 30.0
LEAVING_DROP = 0.8
STILL_LEAVING_DROP = 0.6
BOUGHT_RECENTLY = timedelta(days=7)
LAPSED_AFTER = timedelta(days=30)
NOTICEABLE_POINTS = 2.0
"""A profile is looked at again when its score will have changed by this much, or its stage."""

ACTIVITY, VIEWS, CART, TIME, BACK, STAY, EASY = 27.0, 28.0, 18.0, 12.0, 3.0, 8.0, 2.0
DEAD_CLICKS_SHARE, LOOPS_SHARE = 0.12, 0.08
HALF_EVENTS, HALF_VIEWS = 8.0, 3.0
PERFORMANCE_UNTIL_KNOWN = 1.0

_REVIEW_STEPS = 12


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
    """What a state means at one moment. The points of the contributions add up to the score."""

    score: float
    stage: Stage
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What does not change while time passes: ratios of quantities that fade alike. None: not known."""

    mean_drop: float | None
    loops_ratio: float | None
    dead_click_ratio: float | None
    dead_click_excess: float | None
    loops_loss: float
    dead_click_loss: float
    """Shares of what was gained that are lost again."""
    usual_performance: float


def assess(state: IntentState, *, usual: Usual, last_ordered_at: datetime | None, now: datetime) -> Assessment:
    """Return score, stage and contributions of a state at `now`."""
    fixed = _fix(state, usual)
    gains = _gains(state, fixed, now)
    gained = sum(gains)
    points = (*gains, -gained * fixed.dead_click_loss, -gained * fixed.loops_loss)
    contributions = tuple(
        Contribution(name, rounded, detail)
        for (name, detail), amount in zip(_words(state, fixed, now), points, strict=True)
        if (rounded := round(amount, 2))
    )
    score = round(min(100.0, max(0.0, sum(part.points for part in contributions))), 2)
    return Assessment(score, stage(state, score=score, last_ordered_at=last_ordered_at, now=now), contributions)


def stage(state: IntentState, *, score: float, last_ordered_at: datetime | None, now: datetime) -> Stage:
    """Return the stage of a state whose score at `now` is `score`."""
    if last_ordered_at is not None and now - last_ordered_at < BOUGHT_RECENTLY:
        return Stage.BOUGHT_RECENTLY
    if state.last_signal_at is not None and now - state.last_signal_at >= LAPSED_AFTER:
        return Stage.LAPSED
    if score >= HIGH_SCORE:
        return Stage.LEAVING_WITH_INTENT if is_leaving(state, now) else Stage.HIGH_INTENT
    return Stage.CONSIDERING if score >= CONSIDERING_SCORE else Stage.BROWSING


def is_leaving(state: IntentState, now: datetime) -> bool:
    """Say whether the shopper is about to leave, or was within the last hours."""
    if state.last_drop_proba is not None and state.last_drop_proba >= LEAVING_DROP:
        return True
    if _at_least(_ratio(state.drop_proba_fast_log2, state.drop_proba_count_fast_log2), LEAVING_DROP):
        return True
    peak = decay.value(state.drop_proba_peak_fast_log2, state.age_units(now) * FAST)
    return peak >= LEAVING_DROP and _at_least(
        _ratio(state.drop_proba_log2, state.drop_proba_count_log2), STILL_LEAVING_DROP
    )


def review_at(
    state: IntentState, *, usual: Usual, last_ordered_at: datetime | None, now: datetime, assessed: Assessment
) -> datetime | None:
    """Return when the score will have changed noticeably, or the stage at all; None if neither ever will."""
    fixed = _fix(state, usual)
    kept = 1 - fixed.dead_click_loss - fixed.loops_loss

    def has_changed(moment: datetime) -> bool:
        score = sum(_gains(state, fixed, moment)) * kept
        if assessed.score - score >= NOTICEABLE_POINTS:
            return True
        return stage(state, score=score, last_ordered_at=last_ordered_at, now=moment) != assessed.stage

    boundaries = [last_ordered_at + BOUGHT_RECENTLY] if last_ordered_at else []
    if state.last_signal_at is not None:
        boundaries.append(state.last_signal_at + LAPSED_AFTER)
    ahead = [boundary for boundary in boundaries if boundary > now]
    if not ahead:
        # Bought and lapsed are behind, so only the fading is left: after ten half-lives nothing is.
        ahead = [now + timedelta(hours=10 * state.half_life_hours)]
        if not has_changed(ahead[0]):
            return None
    earliest, latest = now, min(ahead)
    if not has_changed(latest - timedelta(seconds=1)):
        return latest
    # What has changed stays changed (the score only falls, stages follow it), so halving finds the first moment.
    for _ in range(_REVIEW_STEPS):
        middle = earliest + (latest - earliest) / 2
        if has_changed(middle):
            latest = middle
        else:
            earliest = middle
    return latest


def _gains(state: IntentState, fixed: _Fixed, now: datetime) -> tuple[float, ...]:
    """Return the points gained by each part, none of which grows with time."""
    age = state.age_units(now)
    value = decay.value
    present = min(1.0, value(state.signals_log2, age))
    looks = value(state.products_log2, age) + math.log2(1 + value(state.product_views_log2, age)) / 2
    return (
        ACTIVITY * _half(value(state.events_log2, age), HALF_EVENTS),
        VIEWS * _half(looks, HALF_VIEWS),
        CART * min(1.0, value(state.cart_log2, age)),
        TIME * _half(value(state.performance_log2, age), fixed.usual_performance),
        BACK * min(2, max(0, _days_here(state, now) - 1)) / 2,
        0.0 if fixed.mean_drop is None else STAY * (1 - fixed.mean_drop) * present,
        0.0 if fixed.loops_ratio is None else EASY * max(0.0, 1 - fixed.loops_ratio) * present,
        0.0 if fixed.dead_click_ratio is None else EASY * max(0.0, 1 - fixed.dead_click_ratio) * present,
    )


def _words(state: IntentState, fixed: _Fixed, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return (name, detail) of each part, in the order of `_gains` and then the losses."""
    age = state.age_units(now)
    events = decay.value(state.events_log2, age)
    products = decay.value(state.products_log2, age)
    return (
        ("Activity", f"{events:.0f} events"),
        ("Products viewed", f"{products:.0f} at a time"),
        ("Cart", "Cart or checkout visited"),
        ("Time spent", f"index {decay.value(state.performance_log2, age):.2f}"),
        ("Came back", f"here on {_days_here(state, now)} of the last 7 days"),
        ("Likely to stay", f"exit likelihood {fixed.mean_drop or 0:.0%} on average"),
        ("Little back-and-forth", f"{fixed.loops_ratio or 0:.0%} of the usual level"),
        ("Few dead clicks", f"{fixed.dead_click_ratio or 0:.0%} of the usual level"),
        ("Dead clicks", f"{fixed.dead_click_excess or 0:.1f} above the usual level"),
        ("Back-and-forth", f"{fixed.loops_ratio or 0:.1f} times the usual level"),
    )


def _fix(state: IntentState, usual: Usual) -> _Fixed:
    performance = usual.performance or PERFORMANCE_UNTIL_KNOWN
    if state.last_signal_at is None:
        return _Fixed(None, None, None, None, 0.0, 0.0, performance)
    # Read at the last signal: later, numerator and denominator would only fade towards 0/0.
    age = state.age_units(state.last_signal_at)
    loops = decay.value(state.loops_log2, age)
    dead_clicks = decay.value(state.broken_buttons_log2, age)
    carried = decay.value(state.broken_buttons_count_log2, age)
    usual_loops = _usual_sum(state.loops_usual_log2, state.loops_bare_log2, usual.loops, age)
    usual_dead_clicks = _usual_sum(
        state.broken_buttons_usual_log2, state.broken_buttons_bare_log2, usual.broken_buttons, age
    )
    loops_ratio = _over(loops, usual_loops)
    excess = None if usual_dead_clicks is None or not carried else (dead_clicks - usual_dead_clicks) / carried
    return _Fixed(
        mean_drop=_ratio(state.drop_proba_log2, state.drop_proba_count_log2),
        loops_ratio=loops_ratio,
        dead_click_ratio=_over(dead_clicks, usual_dead_clicks),
        dead_click_excess=excess,
        loops_loss=LOOPS_SHARE * min(1.0, max(0.0, (loops_ratio or 0.0) - 1)),
        dead_click_loss=DEAD_CLICKS_SHARE * min(1.0, max(0.0, excess or 0.0)),
        usual_performance=performance,
    )


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


def _days_here(state: IntentState, now: datetime) -> int:
    since = (now.astimezone(UTC).date() - timedelta(days=6)).isoformat()
    return sum(1 for day in state.day_counts if day >= since)
