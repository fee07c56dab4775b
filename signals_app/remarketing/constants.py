from django.db.models import TextChoices


class RuleStatus(TextChoices):
    DRAFT = "DRAFT", "Draft"
    ACTIVE = "ACTIVE", "Active"
    PAUSED = "PAUSED", "Paused"
    ARCHIVED = "ARCHIVED", "Archived"


class EntryEvent(TextChoices):
    """What can start an automation."""

    SIGNAL = "SIGNAL", "A shopper's signal"
    ORDER = "ORDER", "An order"
    FULFILMENT = "FULFILMENT", "A shipment of an order"


ORDER_EVENTS = (EntryEvent.ORDER, EntryEvent.FULFILMENT)
"""What starts with an order: its trigger asks for the order's fields, and a later order is a reason to skip."""


class RuleAction(TextChoices):
    SEND_EMAIL = "SEND_EMAIL", "Send an e-mail"
    MEASURE_ONLY = "MEASURE_ONLY", "Measure only"


class MatchState(TextChoices):
    PLANNED = "planned", "Waiting"
    QUEUED = "queued", "Sent on"
    SKIPPED = "skipped", "Skipped"
    EXPIRED = "expired", "Too late"


class CalibrationState(TextChoices):
    GATHERING = "GATHERING", "Being gathered"
    DONE = "DONE", "Done"


class Arm(TextChoices):
    TREATMENT = "TREATMENT", "Gets the mail"
    HOLDOUT = "HOLDOUT", "Control group"


class Reason(TextChoices):
    """Why a match came to nothing, in the order in which `decide()` asks; the first that applies is stored."""

    MATCHED = "MATCHED", "All conditions hold"
    SKIPPED_RULE_INACTIVE = "SKIPPED_RULE_INACTIVE", "The automation is not active"
    SKIPPED_TRIGGER = "SKIPPED_TRIGGER", "The trigger does not hold"
    SKIPPED_PROFILE_FILTER = "SKIPPED_PROFILE_FILTER", "The profile filters do not hold"
    SKIPPED_UNKNOWN_SHOPPER = "SKIPPED_UNKNOWN_SHOPPER", "The shopper is not known"
    SKIPPED_NO_PERSONALISATION = "SKIPPED_NO_PERSONALISATION", "Behaviour may not be used"
    SKIPPED_REENTRY = "SKIPPED_REENTRY", "Was in this automation recently"
    SKIPPED_ORDERED = "SKIPPED_ORDERED", "Has ordered meanwhile"
    SKIPPED_REFUNDED = "SKIPPED_REFUNDED", "The order was cancelled or refunded"
    SKIPPED_TOO_LATE = "SKIPPED_TOO_LATE", "It was too late to help"
    SKIPPED_HOLDOUT = "SKIPPED_HOLDOUT", "In the control group"
    SKIPPED_MEASURE_ONLY = "SKIPPED_MEASURE_ONLY", "Measured only"
    SKIPPED_NO_ADDRESS = "SKIPPED_NO_ADDRESS", "No e-mail address"
    SKIPPED_NO_CONSENT = "SKIPPED_NO_CONSENT", "No consent"
    SKIPPED_SUPPRESSED = "SKIPPED_SUPPRESSED", "Unsubscribed or bounced"
    SKIPPED_FREQUENCY_LIMIT = "SKIPPED_FREQUENCY_LIMIT", "Frequency limit reached"
    SKIPPED_SENDING_PAUSED = "SKIPPED_SENDING_PAUSED", "All sending paused"
    POSTPONED_QUIET_HOURS = "POSTPONED_QUIET_HOURS", "Waiting for the end of the quiet hours"
