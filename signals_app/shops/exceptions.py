"""What can go wrong between a shop's system and us."""

from signals_app.core.exceptions import PermanentError, TransientError


class UnusableData(PermanentError):
    """Something that the shop said cannot be used; `field` is its name there, and the message says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message


class NothingToDo(PermanentError):
    """What the shop said is fine, but not for us; the message says why, for a person."""


class OrderNotKnown(TransientError):
    """Something came about an order before the order did."""


class InvalidConnection(PermanentError):
    """A setting of a shop connection cannot be used; `field` is the form's."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ShopThrottled(TransientError):
    """The shop's API asks us to wait `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The shop asks us to wait {seconds:.0f} s.")
        self.seconds = seconds


class ShopUnavailable(TransientError):
    """The shop's API did not answer, or not with an answer."""


class ShopRefused(PermanentError):
    """The shop's API refuses us: a wrong token, or a permission that the app was not given."""
