"""
What is usual in a shop, from counts that can be added in any order.

`performance` is counted in buckets an eighth of a doubling wide (9 %), which is as fine as a percentile needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from signals_app.shopper_signals.constants import BASELINE_MIN_SIGNALS

BUCKETS_PER_DOUBLING = 8
LOWEST_BUCKET, HIGHEST_BUCKET = -161, 160
"""Around 1e-6 and 1e6; the lowest also holds zero."""
MOST_COUNTED = 1_000
"""Loops or dead clicks that one signal counts for, at most: one absurd number is not the shop's usual level."""


@dataclass(slots=True)
class Baseline:
    """Counts and sums of a shop's signals over some days."""

    signal_count: int = 0
    loops_sum: int = 0
    loops_count: int = 0
    broken_buttons_sum: int = 0
    broken_buttons_count: int = 0
    performance_counts: dict[str, int] = field(default_factory=dict)

    def note(self, *, loops: int | None, broken_buttons: int | None, performance: float | None) -> None:
        """Count one signal; what is None was not carried or not clean."""
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
        total = sum(self.performance_counts.values())
        if total < BASELINE_MIN_SIGNALS:
            return None
        seen = 0
        for key, count in _sorted(self.performance_counts):
            seen += count
            if 2 * seen >= total:
                return 2.0 ** ((key + 0.5) / BUCKETS_PER_DOUBLING) if key > LOWEST_BUCKET else None
        return None

    def percentile(self, performance: float) -> float | None:
        """
        Return what share of the signals had less `performance`, 0 to 100; of its own bucket half counts as less.

        None while too few signals are known.
        """
        total = sum(self.performance_counts.values())
        if total < BASELINE_MIN_SIGNALS:
            return None
        own = bucket(performance)
        below = sum(count for key, count in _sorted(self.performance_counts) if key < own)
        return 100 * (below + self.performance_counts.get(str(own), 0) / 2) / total


def bucket(performance: float) -> int:
    """Return the number of the bucket of a finite number."""
    if performance <= 0:
        return LOWEST_BUCKET
    number = math.floor(math.log2(performance) * BUCKETS_PER_DOUBLING)
    return min(max(number, LOWEST_BUCKET), HIGHEST_BUCKET)


def _mean(total: int, count: int) -> float | None:
    return total / count if count >= BASELINE_MIN_SIGNALS else None


def _sorted(counts: Mapping[str, int]) -> list[tuple[int, int]]:
    return sorted((int(key), count) for key, count in counts.items())
