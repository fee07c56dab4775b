"""What callers of this room may have said that cannot be used."""

from signals_app.core.exceptions import PermanentError, TransientError


class InvalidInput(PermanentError):
    """A value from outside that cannot be used; `field` is the name the caller gave it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidIdentifier(InvalidInput):
    """An identifier that names nobody."""


class InvalidValue(InvalidInput):
    """A value of the wrong type, or outside its range."""


class ErasedIdentifier(InvalidInput):
    """An identifier whose person was erased on request."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "This person was erased. Only a consent given after that brings them back.")


class AppendOnly(PermanentError):
    """Somebody tried to change or delete rows that are only added to."""


class IdentityKeepsMoving(TransientError):
    """Other transactions changed the same identifiers each time we looked; trying again later helps."""
