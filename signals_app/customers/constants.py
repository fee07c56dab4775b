from django.db.models import TextChoices


class IdentifierKind(TextChoices):
    """In order of strength: a row points at the strongest identifier it carried."""

    EXTERNAL_ID = "external_id", "Customer ID"
    EMAIL = "email", "E-mail"
    ANONYMOUS_ID = "anonymous_id", "Visitor ID"
    SESSION_ID = "session_id", "Session ID"


KINDS_BY_STRENGTH: tuple[str, ...] = tuple(IdentifierKind.values)
KNOWN_KINDS = frozenset({IdentifierKind.EXTERNAL_ID.value, IdentifierKind.EMAIL.value})
"""Kinds that name a person; the others name a browser or a visit."""

MAX_IDENTIFIER_LENGTH = 255
ERASED_PERSON = "(erased person)"
"""Stands where a person who was erased was named; nobody is ever known by it."""


class Evidence(TextChoices):
    """How we know that two identifiers are one person's."""

    SIGNAL = "SIGNAL", "Seen in one signal"
    IDENTIFY = "IDENTIFY", "Said by the shop"
    ORDER = "ORDER", "Seen in one order"
    IMPORT = "IMPORT", "Imported"
    CLICK = "CLICK", "Followed a link in a mail"
    PERSON = "PERSON", "Confirmed by a person"


SHARED_AT = 5
"""A visit or browser seen with so many stronger IDs, or so many other shoppers, is a shared one (or a bug of the shop)."""


class ConflictState(TextChoices):
    OPEN = "OPEN", "Open"
    MERGED = "MERGED", "Merged"
    KEPT_APART = "KEPT_APART", "Kept apart"


class Channel(TextChoices):
    EMAIL = "email", "E-mail"


class Topic(TextChoices):
    """What a consent is for; purposes are kept apart."""

    MARKETING = "marketing", "Marketing"
    PERSONALISATION = "personalisation", "Personalisation by behaviour"
    TRACKING = "tracking", "Tracking of opens and clicks"


class OrderState(TextChoices):
    PLACED = "placed", "Placed"
    CANCELLED = "cancelled", "Cancelled"
    REFUNDED = "refunded", "Refunded"


class ErasureState(TextChoices):
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"


class FulfilmentState(TextChoices):
    SHIPPED = "shipped", "Shipped"
    CANCELLED = "cancelled", "Cancelled"
