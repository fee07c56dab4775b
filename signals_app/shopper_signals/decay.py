"""
Quantities that fade: kept so that time passing changes nothing that is stored.

A quantity is the sum of contributions w that each count half after h hours. It is stored as

    L = log2( sum of w_i * 2^(t_i / h) )        t in hours since 1970, None while there was no contribution

so its value at time t is 2^(L - t/h), two quantities are added with `add`, and "value now >= x" is "L >= t/h + log2 x".
A *peak* is the largest contribution that fades in the same way: it is kept with `larger` in place of `add`. Both are
commutative and associative: the order in which signals arrive, and how they are batched, makes no difference.
"""

from __future__ import annotations

import math
from datetime import datetime

SMALLEST_EXPONENT = -1_000.0
LARGEST_EXPONENT = 1_000.0


def hours(moment: datetime) -> float:
    """Return hours since 1970."""
    return moment.timestamp() / 3600.0


def log2_of(weight: float | None, age_units: float, *, most: float) -> float | None:
    """
    Return the L of one contribution made at `age_units` = t/h, or None if there is nothing to add.

    A weight that is no positive finite number adds nothing; one above `most` counts as `most`, so that no single
    signal can outlive all others.
    """
    if weight is None or not weight > 0:  # not (> 0) is also true for NaN
        return None
    return math.log2(min(float(weight), most)) + age_units


def add(left: float | None, right: float | None) -> float | None:
    """Return the L of both contributions together: log2(2^left + 2^right)."""
    if left is None:
        return right
    if right is None:
        return left
    if left < right:
        left, right = right, left
    return left + math.log1p(math.exp2(right - left)) / math.log(2) if left - right < 64 else left


def larger(left: float | None, right: float | None) -> float | None:
    """Return the L of the larger of both contributions."""
    if left is None or (right is not None and right > left):
        return right
    return left


def value(level: float | None, age_units: float) -> float:
    """Return what a quantity with L = `level` amounts to at `age_units` = t/h; 0 for None."""
    if level is None:
        return 0.0
    return math.exp2(min(max(level - age_units, SMALLEST_EXPONENT), LARGEST_EXPONENT))
