"""What a call from a browser may be that cannot be used."""

from signals_app.core.exceptions import PermanentError


class InvalidCall(PermanentError):
    """A body or a value that cannot be used; `field` is empty where no one field is to blame."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class WrongProof(InvalidCall):
    """A proof that the shop's secret does not make of the e-mail or customer ID beside it."""

    def __init__(self, field: str) -> None:
        super().__init__(
            "wrong_proof",
            "This is not the HMAC-SHA256, in hexadecimal, of the lower-case e-mail address or of the customer ID under "
            "this store's proof secret. Compute it on the shop's server.",
            field,
        )


class InvalidOrigin(PermanentError):
    """A text that names no origin of a shop."""
