from datetime import timedelta

from django.db.models import TextChoices

MAX_BODY_BYTES = 4_096

CALLS_PER_ADDRESS = 60
"""A minute, and for one storefront: an office behind one address may still arrive together."""
CALLS_PER_STOREFRONT = 6_000
"""A minute, whatever the addresses."""
ADDRESS_SLOTS = 4_096
"""Addresses are counted in so many slots: the table is bounded, and no address is kept."""

CLAIM_KEPT = timedelta(days=90)
SECRET_OVERLAP = timedelta(days=7)
"""For how long the proof secret before a new one still proves."""

CLICK_PARAMETER = "ia_click"
CLICK_VALID = timedelta(days=14)
VISITORS_PER_MAIL = 3
"""Phone, tablet and desk; a mail opened in more browsers than that has been passed around."""


class ConsentMode(TextChoices):
    SHOPIFY = "SHOPIFY", "Ask Shopify (customer privacy)"
    BANNER = "BANNER", "Ask another cookie banner"
    LOADED_AFTER = "LOADED_AFTER", "The shop loads the script only after consent"


class Outcome(TextChoices):
    """What a call came to; counted by hour for the shop's developer, told to nobody else."""

    PROVEN = "PROVEN", "Shopper known by proof"
    TIED = "TIED", "Visitor and visit tied"
    CLAIMED = "CLAIMED", "E-mail given without proof"
    CLICKED = "CLICKED", "Came from a mail of theirs"
    NOTHING = "NOTHING", "Nothing to tie together"
    WRONG_PROOF = "WRONG_PROOF", "Wrong proof"
    INVALID = "INVALID", "Cannot be read"


class Refusal(TextChoices):
    """Why a call was not looked at; measured, never stored."""

    UNKNOWN_KEY = "unknown_key"
    FOREIGN_ORIGIN = "foreign_origin"
    THROTTLED = "throttled"
    TOO_LARGE = "too_large"
    METHOD = "method_not_allowed"
    UNAVAILABLE = "unavailable"
