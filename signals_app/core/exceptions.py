"""The two kinds of failure that a worker tells apart."""


class PermanentError(Exception):
    """Trying again cannot help; the input or the configuration has to change."""


class TransientError(Exception):
    """Trying again later may help."""
