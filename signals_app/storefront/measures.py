"""What this room measures of itself; `docs/operations.md` says what to watch."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

CALLS = Counter("insightarc_storefront_calls", "Calls from shops' pages, by what they came to.", ["outcome"])
SECONDS = Histogram(
    "insightarc_storefront_answer_seconds",
    "Time that a call from a shop's page took.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def note_call(outcome: str, *, seconds: float) -> None:
    """Count a call; `outcome` is of a fixed set, so nothing that a stranger sends makes another series."""
    CALLS.labels(outcome.lower()).inc()
    SECONDS.observe(seconds)
