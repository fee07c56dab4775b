"""What the shop's pages may tell us, and what the pages of the admin ask of this room."""

from signals_app.storefront.services.calls import calls_by_outcome, count_call
from signals_app.storefront.services.claims import claims_of
from signals_app.storefront.services.identifying import take_call
from signals_app.storefront.services.session_links import session_link_decorator
from signals_app.storefront.services.settings import (
    find_storefront,
    origin_is_allowed,
    renew_secret,
    set_up,
    suggested_origins,
)
from signals_app.storefront.services.throttling import is_throttled

__all__ = [
    "calls_by_outcome",
    "claims_of",
    "count_call",
    "find_storefront",
    "is_throttled",
    "origin_is_allowed",
    "renew_secret",
    "session_link_decorator",
    "set_up",
    "suggested_origins",
    "take_call",
]
