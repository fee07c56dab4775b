from signals_app.core.exceptions import PermanentError


class TemplateError(PermanentError):
    """The template cannot be used, or could not be filled in; the text is for the person who wrote it."""


class UnknownToken(PermanentError):
    """An unsubscribe link that was not made here, or whose mail is gone."""
