from django.db.models import TextChoices

MAX_BODY_BYTES = 256 * 1024
MAX_PUT_ASIDE_BYTES = 32 * 1024
PUT_ASIDE_SECONDS = 10
UNCHECKED_KEPT = 50
"""Bodies kept from before the secret was pasted, so that pasting it can say how many of them verify."""
MAX_ATTEMPTS = 5


class DeliveryVerdict(TextChoices):
    ACCEPTED = "ACCEPTED", "Accepted"
    PARKED = "PARKED", "Accepted while paused"
    MALFORMED = "MALFORMED", "Not readable"


class InboxState(TextChoices):
    PENDING = "PENDING", "Waiting"
    PARKED = "PARKED", "Paused"
    QUARANTINED = "QUARANTINED", "Needs fixing"
    SET_ASIDE = "SET_ASIDE", "Set aside"


class Problem(TextChoices):
    """Why a delivery needs fixing, in groups that are fixed in the same way."""

    NOT_JSON = "NOT_JSON", "Not readable as JSON"
    NOT_AN_OBJECT = "NOT_AN_OBJECT", "Readable, but not a signal"
    TOO_DEEP = "TOO_DEEP", "Nested too deeply"
    WORKER_ENDED = "WORKER_ENDED", "Ended the worker each time"
    GAVE_UP = "GAVE_UP", f"Given up after {MAX_ATTEMPTS} attempts"


class ReplayScope(TextChoices):
    EVERYTHING = "EVERYTHING", "Everything that came"
    NEEDS_FIXING = "NEEDS_FIXING", "What needs fixing"


class ReplayState(TextChoices):
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    STOPPED = "STOPPED", "Stopped"


class RejectionReason(TextChoices):
    NO_SECRET = "NO_SECRET", "Came before the secret was pasted"
    BAD_SIGNATURE = "BAD_SIGNATURE", "The signature does not match"


class KeepOld(TextChoices):
    """For how long the secrets before a new one stay valid."""

    UNTIL_REMOVED = "UNTIL_REMOVED", "until I remove it"
    WEEK = "WEEK", "for 7 days"
    DAY = "DAY", "for 24 hours"


class AlertKind(TextChoices):
    SILENT = "SILENT", "No signals"
    BAD_SIGNATURES = "BAD_SIGNATURES", "Signatures do not match"
    ADDRESS = "ADDRESS", "Address would be refused"
    CERTIFICATE = "CERTIFICATE", "Certificate ends soon"
    INBOX = "INBOX", "Signals are not processed"
    NEEDS_FIXING = "NEEDS_FIXING", "Signals need fixing"


class ProbeOutcome(TextChoices):
    OK = "OK", "Answers as it should"
    WRONG_ANSWER = "WRONG_ANSWER", "Answers something else"
    BAD_CERTIFICATE = "BAD_CERTIFICATE", "The certificate is refused"
    NO_ANSWER = "NO_ANSWER", "Does not answer"


MAPPED = {
    "external_id": "Customer ID",
    "email": "E-mail",
    "anonymous_id": "Visitor ID",
    "session_id": "Session ID",
    "occurred_at": "Time of the signal",
}
"""What a source's identity mapping looks for, in words."""
