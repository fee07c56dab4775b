from signals_app.core.exceptions import PermanentError


class LastOwner(PermanentError):
    """The change would leave a store without an owner."""


class SharedAccount(PermanentError):
    """The account belongs to more than this store, so its owner may not take it over."""


class TooManyViews(PermanentError):
    """A person has as many saved views of a list as they may have."""
