"""What other rooms may ask of signals and buying intent: record, refresh, fold anew, interests and their evidence."""

from signals_app.shopper_signals.services.evidence import (
    Evidence,
    FoundEvidence,
    interest_evidence,
    latest_addresses,
)
from signals_app.shopper_signals.services.history import IntentPoint, intent_history
from signals_app.shopper_signals.services.interest_rows import InterestNow, half_life_of, label_of, top_interests
from signals_app.shopper_signals.services.merging import continue_folding, merge_profiles, split_profiles
from signals_app.shopper_signals.services.profiles import (
    contributions_of,
    follow_orders,
    refold,
    refresh_due_profiles,
)
from signals_app.shopper_signals.services.recalling import ScoredSignal, recall_signals, score_as_of
from signals_app.shopper_signals.services.recomputing import (
    continue_recompute,
    refold_customers,
    refold_outdated,
    start_recompute,
    stop_recompute,
)
from signals_app.shopper_signals.services.recording import NewSignal, RecordedSignal, record_signals
from signals_app.shopper_signals.services.unmatched import UnmatchedPage, UnmatchedPages, unmatched_pages

PROFILE_STEPS = (continue_folding, follow_orders, refresh_due_profiles, refold_outdated)
"""What keeps profiles true as time, orders and settings go on, in the order in which it is done."""

__all__ = [
    "PROFILE_STEPS",
    "Evidence",
    "FoundEvidence",
    "IntentPoint",
    "InterestNow",
    "NewSignal",
    "RecordedSignal",
    "ScoredSignal",
    "UnmatchedPage",
    "UnmatchedPages",
    "continue_folding",
    "continue_recompute",
    "contributions_of",
    "follow_orders",
    "half_life_of",
    "intent_history",
    "interest_evidence",
    "label_of",
    "latest_addresses",
    "merge_profiles",
    "recall_signals",
    "record_signals",
    "refold",
    "refold_customers",
    "refold_outdated",
    "refresh_due_profiles",
    "score_as_of",
    "split_profiles",
    "start_recompute",
    "stop_recompute",
    "top_interests",
    "unmatched_pages",
]
