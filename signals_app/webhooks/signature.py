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

from signals_app.webhooks import javascript
from signals_app.webhooks.constants import SignatureForm

HEADER = "x-insightarc-signature"
MAX_REPRINTED_BYTES = 32 * 1024
"""A larger body is not read as JSON before its signature is known to be right."""


def sign(secret: str, body: bytes, url: str, form: SignatureForm = SignatureForm.AS_SENT) -> str:
    """
    Return the value of the signature header for `body` sent to the webhook that was registered as `url`.

    :raises ValueError: if `body` has no such form.
    """
    signed = formed_body(body, form)
    if signed is None:
        raise ValueError(f"The body cannot be signed in the form {form}.")
    return _digest(_keyed(secret, signed), formed_url(url, form)).decode("ascii")


def verifies(
    secrets: Iterable[str],
    body: bytes,
    urls: Iterable[str],
    header: bytes | str,
    form: SignatureForm = SignatureForm.AS_SENT,
) -> bool:
    """
    Tell whether `header` is the signature of `body` under one of `secrets` and one of `urls`.

    The body as it was sent always counts; if the source accepts another form, that one counts as well, and is looked
    at only when the first does not verify: which of the two it was is no secret. Of a form, every pair is computed and
    compared in constant time, whichever matches, so the time taken tells nothing.
    The text is compared, not what it decodes to: base64 has several spellings of the same bytes. A request with
    several signature headers reaches WSGI as one value joined by commas, which base64 never contains, so it fails.
    An empty secret never verifies anything.
    """
    given = header.encode("utf-8", "replace") if isinstance(header, str) else header
    keys, registered = tuple(secrets), tuple(urls)
    if _matches(keys, body, [formed_url(url, SignatureForm.AS_SENT) for url in registered], given):
        return True
    if form == SignatureForm.AS_SENT:
        return False
    signed = formed_body(body, form)
    return signed is not None and _matches(keys, signed, [formed_url(url, form) for url in registered], given)


def formed_body(body: bytes, form: SignatureForm) -> bytes | None:
    """Return the bytes that are signed for a body in a form; None if it has none, or is too large to be read for it."""
    if form == SignatureForm.LOW_BYTE:
        try:
            return low_bytes(body.decode("utf-8"))
        except UnicodeDecodeError:
            return None
    if form == SignatureForm.STRINGIFIED:
        return javascript.reprint(body) if len(body) <= MAX_REPRINTED_BYTES else None
    return body


def formed_url(url: str, form: SignatureForm) -> bytes:
    return low_bytes(url) if form == SignatureForm.LOW_BYTE else url.encode("utf-8", "surrogatepass")


def low_bytes(text: str) -> bytes:
    """
    Return the low 8 bits of each of JavaScript's characters, as Node's encoding "binary" does: U+2013 is 0x13.

    What is beyond U+FFFF is two characters there.
    """
    return text.encode("utf-16-le", "surrogatepass")[::2]


def _matches(secrets: Iterable[str], body: bytes, urls: Iterable[bytes], given: bytes) -> bool:
    is_valid = False
    for secret in secrets:
        keyed = _keyed(secret, body)
        for url in urls:
            is_valid |= hmac.compare_digest(_digest(keyed, url), given) and secret != ""
    return is_valid


def _keyed(secret: str, body: bytes) -> hmac.HMAC:
    return hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha1)


def _digest(keyed: hmac.HMAC, url: bytes) -> bytes:
    with_url = keyed.copy()
    with_url.update(url)
    return base64.b64encode(with_url.digest())
