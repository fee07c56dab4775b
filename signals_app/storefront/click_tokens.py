"""
What a link in a mail says about itself: a signed text that names the mail and expires. It names no shopper.

Pure but for the key of the installation and the clock that Django's signer reads.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from urllib.parse import urlsplit, urlunsplit

from django.core import signing

from signals_app.storefront.constants import CLICK_PARAMETER, CLICK_VALID

_SALT = "signals_app.storefront.session_link"


def sign(message_id: uuid.UUID) -> str:
    """Return the token of the links in a mail."""
    text = base64.urlsafe_b64encode(message_id.bytes).decode().rstrip("=")
    return signing.TimestampSigner(salt=_SALT).sign(text)


def message_of(token: str) -> uuid.UUID | None:
    """Return which mail a token is of, or None if it is not ours or older than 14 days."""
    try:
        text = signing.TimestampSigner(salt=_SALT).unsign(token, max_age=CLICK_VALID)
        return uuid.UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    except (signing.BadSignature, binascii.Error, ValueError):
        return None


def with_token(address: str, token: str) -> str:
    """Return an address with the token as its last parameter; nothing else of it changes."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, f"{CLICK_PARAMETER}={token}")))
    return urlunsplit(parts._replace(query=query))
