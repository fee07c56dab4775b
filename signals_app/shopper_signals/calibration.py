"""
How far a predicted probability can be trusted: what was predicted beside what happened.

Samples are counted in ten bins of the prediction. Counts of different weeks, stores or workers are added up; nothing
else has to be kept. The Brier score is the mean of (prediction - outcome)², 0 is perfect; whoever always predicts the
share that happens anyway (the base rate r) gets r * (1 - r), which is the reference. Intervals are Wilson's, which keep
to 0..1 and hold for few samples too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

BINS = 10
Z = 1.96
"""For intervals that hold in 95 of 100 cases."""
ENOUGH_WITHIN = 0.05
"""There are enough samples when the observed share is known to this much, up or down."""
ENOUGH_RARE = 20
"""And when what is rarer, to order or not to, has happened this often."""
ENOUGH_IN_BIN = 30
DRIFT_Z = 3.0
"""Two halves of the time differ when their difference is this many of its standard errors."""


class Verdict(StrEnum):
    """What a bin says of the prediction."""

    TOO_FEW = "too few"
    AS_PREDICTED = "as predicted"
    MORE = "more often"
    LESS = "less often"


@dataclass(slots=True)
class Bin:
    """Samples with about the same prediction."""

    count: int = 0
    happened: int = 0
    predicted_sum: float = 0.0
    squared_error_sum: float = 0.0

    @property
    def predicted(self) -> float:
        """The mean of the predictions; there has to be one."""
        return self.predicted_sum / self.count

    @property
    def observed(self) -> float:
        return self.happened / self.count

    def interval(self) -> tuple[float, float]:
        return wilson(self.happened, self.count)

    def verdict(self) -> Verdict:
        if self.count < ENOUGH_IN_BIN:
            return Verdict.TOO_FEW
        low, high = self.interval()
        if low <= self.predicted <= high:
            return Verdict.AS_PREDICTED
        return Verdict.MORE if self.predicted < low else Verdict.LESS


@dataclass(slots=True)
class Reliability:
    """Predictions and outcomes, in bins of a tenth."""

    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])

    def note(self, *, predicted: float, happened: bool) -> None:
        """Count one sample; `predicted` is a probability."""
        found = self.bins[min(int(predicted * BINS), BINS - 1)]
        found.count += 1
        found.happened += happened
        found.predicted_sum += predicted
        found.squared_error_sum += (predicted - happened) ** 2

    def add(self, other: Reliability) -> None:
        for own, more in zip(self.bins, other.bins, strict=True):
            own.count += more.count
            own.happened += more.happened
            own.predicted_sum += more.predicted_sum
            own.squared_error_sum += more.squared_error_sum

    @property
    def count(self) -> int:
        return sum(each.count for each in self.bins)

    @property
    def happened(self) -> int:
        return sum(each.happened for each in self.bins)

    @property
    def base_rate(self) -> float | None:
        return self.happened / self.count if self.count else None

    @property
    def mean_predicted(self) -> float | None:
        return sum(each.predicted_sum for each in self.bins) / self.count if self.count else None

    @property
    def brier(self) -> float | None:
        return sum(each.squared_error_sum for each in self.bins) / self.count if self.count else None

    @property
    def reference(self) -> float | None:
        """The Brier score of whoever always predicts the base rate."""
        rate = self.base_rate
        return None if rate is None else rate * (1 - rate)

    @property
    def ranking(self) -> float | None:
        """
        Return how often, of one for whom it happened and one for whom it did not, the first had the higher prediction.

        0.5 is chance, 1 is perfect; within a bin half counts. None if all outcomes are the same.
        """
        happened, missed = self.happened, self.count - self.happened
        if not happened or not missed:
            return None
        below, right = 0, 0.0
        for each in self.bins:
            missed_here = each.count - each.happened
            right += each.happened * (below + missed_here / 2)
            below += missed_here
        return right / (happened * missed)

    @property
    def needed(self) -> int:
        return samples_needed(self.base_rate)

    @property
    def is_enough(self) -> bool:
        return self.count >= self.needed

    def as_rows(self) -> list[list[float]]:
        """Return what `from_rows` reads: [[count, happened, sum of predictions, sum of squared errors], ...]."""
        return [[each.count, each.happened, each.predicted_sum, each.squared_error_sum] for each in self.bins]

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[float]]) -> Reliability:
        if len(rows) != BINS:
            return cls()
        return cls([Bin(int(count), int(happened), one, two) for count, happened, one, two in rows])


@dataclass(frozen=True, slots=True)
class Drift:
    """How much farther the observed share lies from the predicted one than before; `error` is its standard error."""

    change: float
    error: float

    @property
    def is_real(self) -> bool:
        return abs(self.change) > DRIFT_Z * self.error


def wilson(happened: int, count: int) -> tuple[float, float]:
    """Return Wilson's interval of a share; (0, 1) for no samples."""
    if not count:
        return 0.0, 1.0
    share, square = happened / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def samples_needed(base_rate: float | None) -> int:
    """Return how many samples it takes to say something; the rarer an outcome, the more."""
    rate = 0.5 if base_rate is None else min(max(base_rate, 0.01), 0.99)
    for_interval = Z * Z * rate * (1 - rate) / ENOUGH_WITHIN**2
    for_rare = ENOUGH_RARE / min(rate, 1 - rate)
    return math.ceil(max(for_interval, for_rare))


def drift(weeks: Sequence[Reliability]) -> Drift | None:
    """Return how far the newer half of the weeks differs from the older; None if either has too few samples."""
    half = len(weeks) // 2
    older, newer = _total(weeks[:half]), _total(weeks[half:])
    if min(older.count, newer.count) < ENOUGH_IN_BIN:
        return None
    return Drift(change=_gap(newer) - _gap(older), error=math.hypot(_error(older), _error(newer)))


def _total(weeks: Iterable[Reliability]) -> Reliability:
    total = Reliability()
    for week in weeks:
        total.add(week)
    return total


def _gap(found: Reliability) -> float:
    return (found.base_rate or 0.0) - (found.mean_predicted or 0.0)


def _error(found: Reliability) -> float:
    # Of the observed share only, and never nothing: a share of 0 or 1 is not known exactly either.
    rate = (found.happened + 1) / (found.count + 2)
    return math.sqrt(rate * (1 - rate) / found.count)
