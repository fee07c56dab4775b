"""
The signature of Insightarc's webhook requests.

`x-insightarc-signature` is the base64 digest of HMAC-SHA1, keyed with the webhook secret, over "the binary
representation of the concatenation of the full request body and the URL exactly as it was provided during webhook
creation". The URL is therefore the registered text, never one computed from the request.

Source: https://www.insightarc.com/blog/automation-tools/how-to-subscribe-to-real-time-signals/, "Webhook Signatures".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

HEADER = "x-insightarc-signature"


def sign(secret: str, body: bytes, url: str) -> str:
    """Return the value of the signature header for `body` sent to the webhook that was registered as `url`."""
    return _digest(_keyed(secret, body), url).decode("ascii")


def verifies(secrets: Iterable[str], body: bytes, urls: Iterable[str], header: bytes | str) -> bool:
    """
    Tell whether `header` is the signature of `body` under one of `secrets` and one of `urls`.

    Every pair is computed and compared in constant time, whichever matches, so the time taken tells nothing.
    The text is compared, not what it decodes to: base64 has several spellings of the same bytes. A request with
    several signature headers reaches WSGI as one value joined by commas, which base64 never contains, so it fails.
    An empty secret never verifies anything.
    """
    given = header.encode("utf-8", "replace") if isinstance(header, str) else header
    registered = tuple(urls)
    is_valid = False
    for secret in secrets:
        keyed = _keyed(secret, body)
        for url in registered:
            is_valid |= hmac.compare_digest(_digest(keyed, url), given) and secret != ""
    return is_valid


def _keyed(secret: str, body: bytes) -> hmac.HMAC:
    return hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha1)


def _digest(keyed: hmac.HMAC, url: str) -> bytes:
    with_url = keyed.copy()
    with_url.update(url.encode("utf-8", "surrogatepass"))
    return base64.b64encode(with_url.digest())
