"""How much one transaction takes, so that it is as long as it should be on this machine, at this moment."""

from __future__ import annotations

from dataclasses import dataclass

GROWTH = 2.0
"""A size at most doubles from one transaction to the next: one quick one is no proof."""


@dataclass(slots=True)
class Pace:
    """
    The size, within bounds, that makes a transaction last about `aim_seconds`; it starts small.

    The lower bound is there because each transaction also costs something that no smaller size saves: without it a
    busy machine would make them ever smaller, and itself busier. Threads may share one: each note is one measurement.
    """

    aim_seconds: float
    least: int
    most: int
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.size or self.least

    def note(self, *, count: int, seconds: float) -> None:
        """Take into account that a transaction of `count` took so long; a small one says nothing of a large one."""
        fitting = int(count * self.aim_seconds / max(seconds, 1e-6))
        if fitting < self.size and seconds > self.aim_seconds:
            self.size = max(self.least, fitting)
        elif count >= self.size:
            self.size = max(self.least, min(self.most, fitting, int(self.size * GROWTH)))
