from datetime import timedelta

from django.db.models import TextChoices


class FactKind(TextChoices):
    """What can have happened; the values stand in feeds and outgoing webhooks."""

    SIGNAL_RECORDED = "signal.recorded", "Signal recorded"
    PROFILE_CHANGED = "profile.changed", "Profile changed"
    MATCH_DECIDED = "match.decided", "Match decided"
    MESSAGE_SENT = "message.sent", "Message sent"
    ORDER_RECORDED = "order.recorded", "Order recorded"
    ORDER_FULFILLED = "order.fulfilled", "Order shipped"
    CONSENT_CHANGED = "consent.changed", "Consent changed"
    CUSTOMER_ERASED = "customer.erased", "Profile erased"


MAX_SUBJECTS = 1_000
"""Subjects of one fact, at most: a larger set is several facts."""

SUBJECTS_AT_ONCE = 50
"""Subjects that a reader handles together, in one transaction: on SQLite nobody else writes meanwhile."""

RETRY_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=3),
    timedelta(hours=12),
)
"""How long a failed fact waits after each try; after the last of them follows one more, and then it is given up."""
