from django.db.models import TextChoices

MAX_BODY_BYTES = 256 * 1024
MAX_PUT_ASIDE_BYTES = 32 * 1024
PUT_ASIDE_SECONDS = 10
UNCHECKED_KEPT = 50
"""Bodies kept from before the secret was pasted, so that pasting it can say how many of them verify."""
FAILURES_KEPT = 150
"""Bodies kept of a source whose signature nobody can explain: 4.7 MiB at most."""
EXPLAINED_KEPT = 50
"""Bodies kept of a source whose signature is explained; a flood of forgeries cannot push them out."""
DAYS_FAILURES_KEPT = 14
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
    CANNOT_BE_USED = "CANNOT_BE_USED", "From the shop, but cannot be used"
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
    OTHER_SHOP = "OTHER_SHOP", "Signed, but for another shop"


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


class SignatureForm(TextChoices):
    """What of a body is signed; the body as it was sent is accepted whatever else is."""

    AS_SENT = "AS_SENT", "The body as it comes (as documented)"
    LOW_BYTE = "LOW_BYTE", "Also the lower half of each character (“binary”)"
    STRINGIFIED = "STRINGIFIED", "Also the body as JavaScript prints it again"


class Mismatch(TextChoices):
    """In what a signature differed from the right one, or what else is known of a request that did not verify."""

    SCHEME = "SCHEME", "http or https"
    SLASH = "SLASH", "The last slash"
    HOST_CASE = "HOST_CASE", "Capital letters in the name"
    PORT = "PORT", "The port"
    WWW = "WWW", "With or without www."
    PUNYCODE = "PUNYCODE", "The spelling of the name (xn--)"
    QUERY = "QUERY", "What follows the question mark"
    QUERY_ORDER = "QUERY_ORDER", "The order of the parameters"
    PERCENT_ENCODING = "PERCENT_ENCODING", "The %-encoding"
    OTHER_ADDRESS = "OTHER_ADDRESS", "Another address"
    BODY_ONLY = "BODY_ONLY", "Signed without the address"
    URL_ONLY = "URL_ONLY", "Signed without the body"
    LOW_BYTE = "LOW_BYTE", "Only the lower half of each character is signed"
    STRINGIFIED = "STRINGIFIED", "The body is signed as JavaScript prints it"
    PREVIOUS_SECRET = "PREVIOUS_SECRET", "Signed with the previous secret"
    OTHER_CONNECTION = "OTHER_CONNECTION", "Signed with the secret of another connection"
    SHA256 = "SHA256", "Signed with SHA-256 instead of SHA-1"
    SHA512 = "SHA512", "Signed with SHA-512 instead of SHA-1"
    HEX = "HEX", "The signature is written in hex"
    BASE64URL = "BASE64URL", "The signature is written in base64url"
    SPELLING = "SPELLING", "Something stands around the signature"
    SEVERAL = "SEVERAL", "The signature came more than once"
    VERIFIES_NOW = "VERIFIES_NOW", "Accepted under the settings of now"
    NO_SIGNATURE = "NO_SIGNATURE", "Came without a signature"
    NO_MATCH = "NO_MATCH", "Nothing we know matches"


ADDRESS_DIFFERENCES = (
    Mismatch.SCHEME,
    Mismatch.SLASH,
    Mismatch.HOST_CASE,
    Mismatch.PORT,
    Mismatch.WWW,
    Mismatch.PUNYCODE,
    Mismatch.QUERY,
    Mismatch.QUERY_ORDER,
    Mismatch.PERCENT_ENCODING,
    Mismatch.OTHER_ADDRESS,
)
UNEXPLAINED = ("", Mismatch.NO_MATCH, Mismatch.NO_SIGNATURE)


class Remedy(TextChoices):
    """What a person may do with one click about a signature that is explained."""

    REGISTER_ADDRESS = "REGISTER_ADDRESS", "Register this address"
    ACCEPT_FORM = "ACCEPT_FORM", "Accept this form of signature"
    KEEP_SECRET = "KEEP_SECRET", "Keep the previous secret"


MAPPED = {
    "external_id": "Customer ID",
    "email": "E-mail",
    "anonymous_id": "Visitor ID",
    "session_id": "Session ID",
    "occurred_at": "Time of the signal",
}
"""What a source's identity mapping looks for, in words."""
