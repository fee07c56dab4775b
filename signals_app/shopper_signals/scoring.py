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
stays far below 40, and a visit that reaches the cart after 25 events with two products gives over 60. Whether the
weights are right is measured, not believed: `calibration.py`.

The stage is a function of state and time:

    bought_recently       an order in the last 7 days
    lapsed                no signal for 30 days
    leaving_with_intent   interest >= 48 and about to leave
    high_intent           interest >= 48
    considering           interest >= 24
    browsing              else

Interest is the 76 points for activity, products viewed, cart and coming back: a score of 60 usually has 48 of them.

Note [Stages that do not flap]

A stage is entered at once and left slowly. The stage takes no part that a signal can lower, such as the mean of
drop_proba or friction, and none that hangs on other shoppers, such as the usual time spent: with these a shopper near a
limit would change stage with each signal. So interest only rises with signals and only falls with time; and it falls in
steps of half-life/24 (3 hours by default, 6 at most), since it is read as of the step's beginning. Within a step a stage
can thus be entered but not left. A shopper is about to leave when the last drop_proba is at least 0.8, and stays so for
half-life/24 after the last signal of which that is true. So each limit is crossed at most twice a step, whatever comes.
ADR 0019 has the reasons. Tests walk at random along the limits and count.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from signals_app.shopper_signals.constants import LEAVING_DROP, Stage
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.outlook import (
    BOUGHT_RECENTLY,
    CONSIDERING_INTEREST,
    HIGH_INTEREST,
    LAPSED_AFTER,
    Outlook,
    Usual,
)
from signals_app.shopper_signals.review import NOTICEABLE_POINTS, next_change
from signals_app.shopper_signals.score_words import Contribution, contributions

__all__ = [
    "BOUGHT_RECENTLY",
    "CONSIDERING_INTEREST",
    "HIGH_INTEREST",
    "LAPSED_AFTER",
    "LEAVING_DROP",
    "NOTICEABLE_POINTS",
    "Assessment",
    "Contribution",
    "Usual",
    "assess",
    "explain",
    "score_at",
]


class Assessment(NamedTuple):
    """
    What a state means at one moment.

    `loops_ratio` is going back and forth as a multiple of what is usual, `dead_clicks_over_usual` how many dead clicks
    more than usual a signal had (both decayed means), `performance_percentile` the place of the shopper's longest time
    spent among the shop's signals, 0 to 100; None is unknown. They are as of the last signal, so time changes neither.
    `review_at` is when the score will have changed noticeably, or the stage at all; None if neither ever will.
    """

    score: float
    stage: Stage
    review_at: datetime | None
    loops_ratio: float | None = None
    dead_clicks_over_usual: float | None = None
    performance_percentile: float | None = None


def assess(state: IntentState, *, usual: Usual, last_ordered_at: datetime | None, now: datetime) -> Assessment:
    """Return score and stage of a state at `now`, and until when that is good enough."""
    outlook = Outlook(state, usual, last_ordered_at, now)
    score = _total(outlook)
    stage = outlook.stage(0.0)
    due = next_change(outlook, stage)
    return Assessment(
        score=score,
        stage=stage,
        review_at=None if due is None else now + timedelta(hours=due),
        loops_ratio=outlook.loops_ratio,
        dead_clicks_over_usual=outlook.dead_click_excess,
        performance_percentile=outlook.performance_percentile,
    )


def score_at(state: IntentState, *, usual: Usual, now: datetime) -> float:
    """Return the score of a state at `now`, as `assess` does, without looking for stage and future."""
    return _total(Outlook(state, usual, None, now))


def explain(state: IntentState, *, usual: Usual, now: datetime) -> list[Contribution]:
    """Return in words what the score of a state at `now` is made of; the points add up to it."""
    outlook = Outlook(state, usual, None, now)
    return contributions(outlook, outlook.points())


def _total(outlook: Outlook) -> float:
    return round(min(100.0, max(0.0, sum([round(points, 2) for points in outlook.points()]))), 2)
