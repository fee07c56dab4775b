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
