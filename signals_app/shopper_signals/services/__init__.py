"""What other rooms may ask of signals and buying intent: record, refresh, fold anew, interests."""

from signals_app.shopper_signals.services.history import IntentPoint, intent_history
from signals_app.shopper_signals.services.interest_rows import InterestNow, top_interests
from signals_app.shopper_signals.services.profiles import (
    follow_orders,
    refold,
    refold_outdated,
    refresh_due_profiles,
)
from signals_app.shopper_signals.services.recalling import recall_signals
from signals_app.shopper_signals.services.recording import NewSignal, RecordedSignal, record_signals
from signals_app.shopper_signals.services.refolding import continue_folding, merge_profiles, split_profiles

__all__ = [
    "IntentPoint",
    "InterestNow",
    "NewSignal",
    "RecordedSignal",
    "continue_folding",
    "follow_orders",
    "intent_history",
    "merge_profiles",
    "recall_signals",
    "record_signals",
    "refold",
    "refold_outdated",
    "refresh_due_profiles",
    "split_profiles",
    "top_interests",
]
