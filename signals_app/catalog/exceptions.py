from signals_app.core.exceptions import PermanentError, TransientError


class FeedUnreadable(PermanentError):
    """The file is no product feed that we can read; the message says why, for the person who set it up."""


class FeedUnreachable(TransientError):
    """The feed's address gave no feed this time."""


class InvalidPattern(PermanentError):
    """A pattern of a shop's addresses that cannot be read; the message says why, for the person who wrote it."""


class InvalidAlias(PermanentError):
    """What a person said of a page cannot be kept; the message is for that person."""
