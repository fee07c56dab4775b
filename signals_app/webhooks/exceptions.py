from signals_app.core.exceptions import PermanentError


class MalformedDelivery(PermanentError):
    """The body is not one JSON object that can be read; no later attempt will read it."""


class InvalidConfiguration(PermanentError):
    """A setting of a source cannot be used; `field` is the model field, `message` is for the person who typed it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
