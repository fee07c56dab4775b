"""
Who is in a control group and who gets which variation: drawn by a hash, so that it is the same at every draw.

A shopper is drawn by their root, the oldest of their known IDs. So when two shoppers turn out to be one, the older
root's arm stays, and when that is taken back each has their own arm again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from signals_app.remarketing.constants import Arm

_SPAN = 2**64


def _draw(purpose: str, *, salt: str, root: int, rule_id: UUID) -> int:
    """Return a number from 0 to 2**64 - 1, evenly spread over shoppers."""
    drawn = hashlib.sha256(f"{purpose}:{salt}:{root}:{rule_id}".encode()).digest()
    return int.from_bytes(drawn[:8])


def choose_arm(*, salt: str, root: int, rule_id: UUID, holdout_percent: int) -> Arm:
    """
    Return the arm of a shopper in a rule.

    A larger `holdout_percent` only adds shoppers to the control group: nobody who is in it leaves it.
    """
    drawn = _draw("arm", salt=salt, root=root, rule_id=rule_id)
    return Arm.HOLDOUT if drawn * 100 < holdout_percent * _SPAN else Arm.TREATMENT


def choose_by_weight(*, salt: str, root: int, rule_id: UUID, weights: Sequence[int]) -> int:
    """
    Return the index of the variation that a shopper gets, each in proportion to its weight.

    :raises ValueError: if there is no positive weight.
    """
    total = sum(weights)
    if total <= 0:
        raise ValueError("there is no variation to choose")
    drawn = _draw("variant", salt=salt, root=root, rule_id=rule_id) * total // _SPAN
    for index, weight in enumerate(weights):
        drawn -= weight
        if drawn < 0:
            return index
    raise AssertionError("a draw below the total falls into one of its parts")
