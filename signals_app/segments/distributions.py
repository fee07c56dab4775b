"""
What the profiles of a store say of one field, in a few bars: pure, from the values of a sample.

Only what several share is named: a text that is different for everyone, such as an address, has no bars.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from signals_app.segments.conditions import value_text
from signals_app.segments.fields import Field, FieldType

MOST_BARS = 10
MOST_NAMES = 6

_AGES = (
    (timedelta(days=1), "the last 24 hours"),
    (timedelta(days=7), "2 to 7 days ago"),
    (timedelta(days=30), "8 to 30 days ago"),
    (timedelta(days=90), "1 to 3 months ago"),
    (timedelta(days=365), "3 to 12 months ago"),
)


@dataclass(frozen=True)
class Bar:
    """`share` is of all profiles of the sample, 0 to 1."""

    label: str
    share: float


@dataclass(frozen=True)
class Distribution:
    """`known` is the share for which the field has a value; `is_ordered` if the bars stand along a scale."""

    known: float
    bars: tuple[Bar, ...]
    is_ordered: bool


def distribution(field: Field, values: Sequence[Any], *, now: datetime) -> Distribution:
    """Return the bars of a field's values; None and an empty list are unknown."""
    total = max(1, len(values))
    known = [value for value in values if value is not None and value != []]
    match field.type:
        case FieldType.NUMBER:
            counted: Iterable[tuple[str, int]] = _numbers(field, [float(value) for value in known])
        case FieldType.DATETIME:
            counted = _ages(known, now)
        case FieldType.BOOLEAN:
            counted = [("yes", known.count(True)), ("no", known.count(False))]
        case FieldType.CHOICE:
            amounts = Counter(known)
            counted = [(label, amounts[key]) for key, label in field.choices]
        case FieldType.LIST:
            counted = _shared(member for value in known for member in set(value))
        case _:
            counted = _shared(known)
    return Distribution(
        known=len(known) / total,
        bars=tuple(Bar(label, amount / total) for label, amount in counted),
        is_ordered=field.type in (FieldType.NUMBER, FieldType.DATETIME),
    )


def _shared(values: Iterable[str]) -> list[tuple[str, int]]:
    return [(value, amount) for value, amount in Counter(values).most_common(MOST_NAMES) if amount > 1]


def _ages(known: Sequence[datetime], now: datetime) -> list[tuple[str, int]]:
    amounts = [0] * (len(_AGES) + 1)
    for moment in known:
        amounts[next((place for place, (age, _) in enumerate(_AGES) if now - moment <= age), len(_AGES))] += 1
    return list(zip((*(label for _, label in _AGES), "longer ago"), amounts, strict=True))


def _numbers(field: Field, known: list[float]) -> list[tuple[str, int]]:
    """Count few different numbers each, many in steps of a round width; the last step holds what lies far out."""
    if not known:
        return []
    amounts = Counter(known)
    if len(amounts) <= MOST_BARS - 2:
        return [(value_text(field, value), amounts[value]) for value in sorted(amounts)]
    ordered = sorted(known)
    low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    width = _round_width((high - low) / (MOST_BARS - 1))
    if width == 0.0:
        return [(value_text(field, value), amount) for value, amount in amounts.most_common(MOST_NAMES)]
    start = math.floor(low / width)
    last = min(MOST_BARS - 1, max(0, math.floor(high / width) - start))
    steps = [0] * (last + 1)
    for value in known:
        steps[min(last, max(0, math.floor(value / width) - start))] += 1
    return [(_step_label(field, start, width, step, last), amount) for step, amount in enumerate(steps)]


def _step_label(field: Field, start: int, width: float, step: int, last: int) -> str:
    text = value_text(field, (start + step) * width)
    return f"{text} and more" if step == last else f"{text} to {value_text(field, (start + step + 1) * width)}"


def _round_width(width: float) -> float:
    """Return the next larger 1, 2 or 5 times a power of ten; 0 for no width at all."""
    if not width > 0 or not math.isfinite(width):
        return 0.0
    power = 10.0 ** math.floor(math.log10(width))
    return next((step * power for step in (1, 2, 5) if width <= step * power * 1.000001), 10 * power)
