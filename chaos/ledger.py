"""What the sender knows: each signal it posted, each answer it got, each consent it withdrew, and what was broken when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CALM = "calm"


@dataclass
class Posting:
    """One signal with a body of its own, and what became of posting it as often as it took. Times: seconds since 1970."""

    token: str
    sha256: bytes
    email: str
    began_at: float
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    """(status, id, accepted | duplicate | ...) of each answer that came."""
    broken: int = 0
    """Attempts that got no answer at all."""
    first_seconds: float | None = None
    """How long the first attempt took, if it was accepted."""
    ended_at: float = 0.0

    @property
    def acked_ids(self) -> set[str]:
        return {id_ for status, id_, _ in self.answers if status == 200}

    @property
    def accepted_count(self) -> int:
        return sum(verdict == "accepted" for _, _, verdict in self.answers)

    @property
    def duplicate_count(self) -> int:
        return sum(verdict == "duplicate" for _, _, verdict in self.answers)


@dataclass
class Period:
    """A time in which one fault was at work; what follows until the next one is also counted as its."""

    fault: str
    began_at: float
    ended_at: float = 0.0


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold; `at` (seconds since 1970) tells which fault was at work."""

    invariant: str
    at: float
    evidence: str


@dataclass
class Ledger:
    """Written by many threads while the run goes on, read when it is over."""

    postings: list[Posting] = field(default_factory=list)
    withdrawn: dict[str, float] = field(default_factory=dict)
    """E-mail address -> when the withdrawal had been answered, so was committed."""
    periods: list[Period] = field(default_factory=list)
    interruptions: list[tuple[float, str, int]] = field(default_factory=list)
    """(when, what, how many mails it may have caught on their way at most): kills of workers, ends of PostgreSQL."""
    violations: list[Violation] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def period(self, fault: str) -> Iterator[Period]:
        period = Period(fault, time.time())
        self.periods.append(period)
        try:
            yield period
        finally:
            period.ended_at = time.time()

    def fault_at(self, at: float) -> str:
        """Return the fault that had begun last at a time."""
        begun = [period for period in self.periods if period.began_at <= at]
        return begun[-1].fault if begun else CALM

    def violate(self, invariant: str, evidence: str, *, at: float | None = None) -> None:
        with self.lock:
            self.violations.append(Violation(invariant, time.time() if at is None else at, evidence))

    def note(self, fault: str, text: str) -> None:
        """Keep something measured that is worth reading beside the table."""
        with self.lock:
            self.notes.setdefault(fault, []).append(text)

    def interrupt(self, what: str, mails_at_most: int) -> None:
        with self.lock:
            self.interruptions.append((time.time(), what, mails_at_most))
