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


class ProfileIsGone(PermanentError):
    """One of the profiles was joined to another, or erased, since the person looked."""

    def __init__(self) -> None:
        super().__init__("One of the two profiles was joined to another one, or erased, meanwhile. Look again.")


class SameProfile(PermanentError):
    """A profile was to be joined with itself."""

    def __init__(self) -> None:
        super().__init__("These are one profile already.")


class LinkIsGone(PermanentError):
    """The link was undone, or its person began to be erased, since somebody looked."""

    def __init__(self) -> None:
        super().__init__("This link is gone already.")
