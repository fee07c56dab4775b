from django.db.models import TextChoices


class MessagePurpose(TextChoices):
    """Why a mail is sent; a room above registers the send guard of its purpose."""

    REMARKETING = "REMARKETING", "Automation"
    TEST = "TEST", "Test"


class MessageState(TextChoices):
    """The values stand in the API."""

    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    RETRY = "retry", "Trying again"
    FAILED = "failed", "Failed"
    SUPPRESSED = "suppressed", "Skipped"
    UNKNOWN = "unknown", "Unconfirmed"


DUE_STATES = (MessageState.QUEUED, MessageState.RETRY)
COUNTED_STATES = (MessageState.SENDING, MessageState.SENT, MessageState.UNKNOWN)
"""States that a frequency limit counts: a mail that may have arrived has arrived."""


class SuppressionReason(TextChoices):
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
    BOUNCED = "bounced", "Bounced"
    COMPLAINED = "complained", "Complained"
    MANUAL = "manual", "Added by hand"


ERASED_PREFIX = "erased:"
"""How a suppression begins that has only a hash left of the address of somebody who was erased."""


class SkipReason(TextChoices):
    """Why a mail was not sent, or not yet, as far as the mail room itself can tell."""

    SKIPPED_NO_ADDRESS = "SKIPPED_NO_ADDRESS", "No e-mail address"
    SKIPPED_NO_CONSENT = "SKIPPED_NO_CONSENT", "No consent"
    SKIPPED_SUPPRESSED = "SKIPPED_SUPPRESSED", "Unsubscribed or bounced"
    SKIPPED_SENDING_PAUSED = "SKIPPED_SENDING_PAUSED", "All sending paused"
    SKIPPED_SENDER_MISSING = "SKIPPED_SENDER_MISSING", "Sender not set up"
    FAILED_TEMPLATE = "FAILED_TEMPLATE", "The template could not be filled in"
    FAILED_REFUSED = "FAILED_REFUSED", "The mail service refused it"
    FAILED_TRIES = "FAILED_TRIES", "Given up after several tries"
    UNKNOWN_NO_ANSWER = "UNKNOWN_NO_ANSWER", "The mail service did not answer"
    WAITING_RETRY = "WAITING_RETRY", "The mail service could not take it yet"
    WAITING_ACCOUNT = "WAITING_ACCOUNT", "The mail service refuses our account or settings"


def reason_in_words(reason: str) -> str:
    """Return a stored reason as people read it, also one that a room above has given."""
    known = dict(SkipReason.choices)
    bare = reason.removeprefix("SKIPPED_").removeprefix("POSTPONED_").replace("_", " ")
    return known.get(reason, bare.capitalize())
