"""
When a profile has to be looked at again: at the first moment at which its stage changes, or its score noticeably.

Without a signal a score is one smooth falling function of time between the midnights at which a day falls out of "the
last 7 days". So the moment is found by a secant in the logarithms, where the score is nearly a straight line: two or
three looks instead of a search by halving. The stage changes at known moments, or where a step begins.
"""

from __future__ import annotations

import math

from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.outlook import Outlook

NOTICEABLE_POINTS = 2.0
"""A profile is looked at again when its score will have changed by this much, or its stage."""
NEAR_ENOUGH = 0.1
MOST_LOOKS = 60
HALVES_EVERY = 3
"""Where the score is no straight line, secants alone come near from one side only, and slowly."""
A_MOMENT = 1 / 7200
"""Half a second: past a step's beginning by more than a rounding error."""


def next_change(outlook: Outlook, stage: Stage) -> float | None:
    """Return in how many hours score or stage will have changed from what they are now; None if never."""
    fallen = _noticeably_fallen(outlook)
    events = (outlook.bought_for, outlook.leaving_for, outlook.lapses_in)
    begin = 0.0
    for end in sorted({fallen, *(each for each in events if 0 < each < fallen)}):
        if end == math.inf:
            break
        if outlook.stage(end) != stage:
            return _first_step_changed(outlook, stage, begin, end)
        begin = end
    return None if fallen == math.inf else fallen


def _first_step_changed(outlook: Outlook, stage: Stage, begin: float, end: float) -> float:
    """Return the first moment of (begin, end] with another stage; at `end` it is another, at `begin` it is not."""
    step = outlook.step
    first = outlook.step_begin(begin) + step + A_MOMENT
    low, high = 0, math.ceil((end - first) / step)  # step number `high` begins at `end` or after it
    while low < high:
        middle = (low + high) // 2
        if outlook.stage(first + middle * step) != stage:
            high = middle
        else:
            low = middle + 1
    return min(first + low * step, end)


def _noticeably_fallen(outlook: Outlook) -> float:
    """Return in how many hours the score will have fallen by `NOTICEABLE_POINTS`; infinity if never."""
    days = outlook.days(0.0)
    score = outlook.score(0.0, days)
    target = score - NOTICEABLE_POINTS
    if target <= 0:
        return math.inf
    for midnight in sorted(left for left in outlook.days_left if left > 0) if days > 1 else ():
        if days <= 1:
            break
        if outlook.score(midnight, days) <= target:
            break
        days -= 1
        if outlook.score(midnight, days) <= target:
            return midnight
    return _reaches(outlook, score, target, days)


def _reaches(outlook: Outlook, score: float, target: float, days: int) -> float:
    """Return when a score that is still above `target` has just fallen below it, while `days` stays as it is."""
    lowest = max(target - NEAR_ENOUGH, 0.8 * target)
    aim = math.log2(score / ((target + lowest) / 2))
    low, high = 0.0, math.inf
    hours = outlook.half_life * aim
    for look in range(1, MOST_LOOKS):
        later = outlook.score(hours, days)
        if lowest <= later <= target:
            return hours
        if later > target:
            low = hours
        else:
            high = hours
        fallen = math.log2(score / later) if later > 0 else math.inf
        hours = hours * aim / fallen if fallen > 0 else hours * 2
        if not low < hours < high or (look % HALVES_EVERY == 0 and high < math.inf):
            hours = (low + high) / 2 if high < math.inf else low * 2
    return high
