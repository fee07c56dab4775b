"""What other rooms may ask of signals and buying intent: record, refresh, fold anew, interests."""

from signals_app.shopper_signals.services.interest_rows import InterestNow, top_interests
from signals_app.shopper_signals.services.profiles import (
    follow_orders,
    merge_profiles,
    refold,
    refold_outdated,
    refresh_due_profiles,
)
from signals_app.shopper_signals.services.recalling import recall_signals
from signals_app.shopper_signals.services.recording import NewSignal, RecordedSignal, record_signals
from signals_app.shopper_signals.services.unmatched import UnmatchedPage, UnmatchedPages, unmatched_pages

__all__ = [
    "InterestNow",
    "NewSignal",
    "RecordedSignal",
    "UnmatchedPage",
    "UnmatchedPages",
    "follow_orders",
    "merge_profiles",
    "recall_signals",
    "record_signals",
    "refold",
    "refold_outdated",
    "refresh_due_profiles",
    "top_interests",
    "unmatched_pages",
]
