"""
What is usual in a shop, from counts that can be added in any order.

`performance` is counted in buckets an eighth of a doubling wide (9 %), which is as fine as a percentile needs.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from signals_app.shopper_signals.constants import BASELINE_MIN_SIGNALS

BUCKETS_PER_DOUBLING = 8
LOWEST_BUCKET, HIGHEST_BUCKET = -161, 160
"""Around 1e-6 and 1e6; the lowest also holds zero."""
MOST_COUNTED = 1_000
"""Loops or dead clicks that one signal counts for, at most: one absurd number is not the shop's usual level."""


class _Ranks(NamedTuple):
    """The buckets in order, and how many signals lie in each or below."""

    buckets: list[int]
    up_to: list[int]
    total: int


@dataclass(slots=True)
class Baseline:
    """Counts and sums of a shop's signals over some days."""

    signal_count: int = 0
    loops_sum: int = 0
    loops_count: int = 0
    broken_buttons_sum: int = 0
    broken_buttons_count: int = 0
    performance_counts: dict[str, int] = field(default_factory=dict)
    _ranks: _Ranks | None = field(default=None, compare=False, repr=False)
    """Made from `performance_counts` when first asked for: a batch asks once a signal."""

    def note(self, *, loops: int | None, broken_buttons: int | None, performance: float | None) -> None:
        """Count one signal; what is None was not carried or not clean."""
        self._ranks = None
        self.signal_count += 1
        if loops is not None:
            self.loops_sum += min(loops, MOST_COUNTED)
            self.loops_count += 1
        if broken_buttons is not None:
            self.broken_buttons_sum += min(broken_buttons, MOST_COUNTED)
            self.broken_buttons_count += 1
        if performance is not None:
            key = str(bucket(performance))
            self.performance_counts[key] = self.performance_counts.get(key, 0) + 1

    def add(self, other: Baseline) -> None:
        """Add the counts of other signals."""
        self._ranks = None
        self.signal_count += other.signal_count
        self.loops_sum += other.loops_sum
        self.loops_count += other.loops_count
        self.broken_buttons_sum += other.broken_buttons_sum
        self.broken_buttons_count += other.broken_buttons_count
        for key, count in other.performance_counts.items():
            self.performance_counts[key] = self.performance_counts.get(key, 0) + count

    @property
    def usual_loops(self) -> float | None:
        return _mean(self.loops_sum, self.loops_count)

    @property
    def usual_broken_buttons(self) -> float | None:
        return _mean(self.broken_buttons_sum, self.broken_buttons_count)

    @property
    def median_performance(self) -> float | None:
        """The middle of the bucket that holds the median; None while too few signals are known, or if it is zero."""
        ranks = self._ranked()
        if ranks.total < BASELINE_MIN_SIGNALS:
            return None
        middle = ranks.buckets[bisect_left(ranks.up_to, ranks.total / 2)]
        return 2.0 ** ((middle + 0.5) / BUCKETS_PER_DOUBLING) if middle > LOWEST_BUCKET else None

    def percentile(self, performance: float) -> float | None:
        """
        Return what share of the signals had less `performance`, 0 to 100; of its own bucket half counts as less.

        None while too few signals are known.
        """
        ranks = self._ranked()
        if ranks.total < BASELINE_MIN_SIGNALS:
            return None
        own = bucket(performance)
        place = bisect_left(ranks.buckets, own)
        below = ranks.up_to[place - 1] if place else 0
        return 100 * (below + self.performance_counts.get(str(own), 0) / 2) / ranks.total

    def _ranked(self) -> _Ranks:
        if self._ranks is None:
            counts = sorted((int(key), count) for key, count in self.performance_counts.items())
            up_to = list(accumulate(count for _, count in counts))
            self._ranks = _Ranks([key for key, _ in counts], up_to, up_to[-1] if up_to else 0)
        return self._ranks


def bucket(performance: float) -> int:
    """Return the number of the bucket of a finite number."""
    if performance <= 0:
        return LOWEST_BUCKET
    number = math.floor(math.log2(performance) * BUCKETS_PER_DOUBLING)
    return min(max(number, LOWEST_BUCKET), HIGHEST_BUCKET)


def _mean(total: int, count: int) -> float | None:
    return total / count if count >= BASELINE_MIN_SIGNALS else None
