"""What the mail room measures of itself; `docs/operations.md` says what to watch."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter

SENDS = Counter("insightarc_mail_attempts", "Mails taken up for sending, by the state that they came to.", ["state"])


def note_sends(counts: Mapping[str, int]) -> None:
    """Add to the mails that came to each state."""
    for state, count in counts.items():
        SENDS.labels(state).inc(count)
