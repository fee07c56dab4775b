"""Arithmetic of measurements: percentiles, medians, ratios with their spread, and how numbers are printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the lowest and highest of what it is the median of."""

    median: float
    lowest: float
    highest: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the `ordered` values lie, by the nearest rank; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest; all 0 of nothing."""
    return Spread(median(values), min(values), max(values)) if values else Spread(0.0, 0.0, 0.0)


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread | None:
    """
    Return the ratio of the medians, with the lowest and highest ratio of the same round; None if it is over zero.

    Rounds are interleaved, so what disturbs one round of one contender disturbs that of the other as well: the ratios
    of one round differ less than the numbers themselves.
    """
    pairs = [(one, other) for one, other in zip(numerators, denominators, strict=False) if other]
    if not pairs or not median(denominators):
        return None
    each = [one / other for one, other in pairs]
    return Spread(median(numerators) / median(denominators), min(each), max(each))


def number(value: float) -> str:
    """Print a number with three digits that say something: 12,300, 1,234 -> 1,230, 4.56, 0.0123."""
    if value == 0:
        return "0"
    digits = 3
    magnitude = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    if magnitude >= digits:
        return f"{round(value, digits - magnitude):,.0f}"
    return f"{value:.{max(0, digits - magnitude)}f}" if magnitude else f"{value:.{digits}g}"


def with_spread(found: Spread | None, unit: str = "") -> str:
    """Print a median with its spread: "6.3 (5.9 to 6.8)"; a dash for what could not be measured."""
    if found is None:
        return "–"
    space = f" {unit}" if unit and unit != "x" else unit
    if found.lowest == found.highest:
        return f"{number(found.median)}{space}"
    return f"{number(found.median)}{space} ({number(found.lowest)} to {number(found.highest)})"
