"""
Why a signature did not match: which text, secret or spelling would have matched. Pure; no input makes it work long.

It is for telling a person, never for accepting a request. The header tells by its length which hash it is, so only one
is computed. The work for one request is bounded: at most `MAX_KEYS` secrets, four forms of the body, which is read as
JSON up to 32 KiB, and `MAX_VARIANTS` addresses make at most `MAX_DIGESTS` digests, of which all but 30 are of an address
alone, since the hash of the body is begun once. That is a tenth or two of a second at worst, and a few milliseconds
usually.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from signals_app.webhooks import signature
from signals_app.webhooks.address_variants import MAX_VARIANTS, Variant, variants
from signals_app.webhooks.constants import Mismatch, SignatureForm

MAX_KEYS = 6
MAX_BODY_BYTES = 256 * 1024
MAX_HEADER_LENGTH = 200
MAX_DIGESTS = MAX_KEYS * (4 * (MAX_VARIANTS + 1) + 2 * MAX_VARIANTS)

HASHES: dict[int, tuple[Callable[..., Any], tuple[Mismatch, ...]]] = {
    20: (hashlib.sha1, ()),
    32: (hashlib.sha256, (Mismatch.SHA256,)),
    64: (hashlib.sha512, (Mismatch.SHA512,)),
}
"""Length of a digest -> the hash and what it says."""

_HEX = re.compile("[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{27,}={0,2}")
_PREFIX = re.compile(r"^[\s\"']*(?:(?:sha(?:1|256|512)|v\d)[=:])?[\s\"']*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """A secret to try; `difference` says what it would mean if it matched, None for one that is valid."""

    secret: str = field(repr=False)
    difference: Mismatch | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """
    In what a request differs from one that would verify.

    `differences` is never empty; if nothing matched it is NO_SIGNATURE or NO_MATCH alone. `signed_url` is the address
    that was signed (empty if none was), `known_url` the one of ours that it differs from, `key` the secret.
    """

    differences: tuple[Mismatch, ...]
    signed_url: str = ""
    known_url: str = ""
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """A digest read from a header, and how it was written there."""

    digest: bytes
    hash: Callable[..., Any]
    differences: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class _SignedBody:
    content: bytes
    differences: tuple[Mismatch, ...]
    is_low: bool = False


def diagnose(
    *, keys: Sequence[Key], body: bytes, registered: Sequence[str], header: str, known: Sequence[str] = ()
) -> Diagnosis:
    """
    Find what `header` is the signature of.

    `known` are addresses under which the connection might be registered although nobody said so: our own, the one that
    was asked for, another connection's. Of all explanations, the simplest of the address is returned.
    """
    given = _read_header(header)
    if given is None:
        return Diagnosis((Mismatch.NO_SIGNATURE,))
    usable = [key for key in keys if key.secret][:MAX_KEYS]
    addresses = variants(registered, known)
    for signed in _signed_bodies(body[:MAX_BODY_BYTES], [address.text for address in addresses]):
        for key in usable:
            if found := _find(given, key, signed, addresses):
                return found
    return Diagnosis((Mismatch.NO_MATCH,))


def _find(given: _Given, key: Key, signed: _SignedBody, addresses: Sequence[Variant]) -> Diagnosis | None:
    """Return the explanation by an address, or by none, of a digest under one key and one form of the body."""
    keyed = hmac.new(key.secret.encode("utf-8", "surrogatepass"), signed.content, given.hash)
    around = (*signed.differences, *((key.difference,) if key.difference else ()), *given.differences)
    form = SignatureForm.LOW_BYTE if signed.is_low else SignatureForm.AS_SENT
    for address in addresses:
        digest = keyed.copy()
        digest.update(signature.formed_url(address.text, form))
        if hmac.compare_digest(digest.digest(), given.digest):
            differences = (*address.differences, *around) or (Mismatch.VERIFIES_NOW,)
            return Diagnosis(differences, address.text, address.base, key)
    if signed.content and hmac.compare_digest(keyed.digest(), given.digest):
        return Diagnosis((Mismatch.BODY_ONLY, *around), key=key)
    return None


def _signed_bodies(body: bytes, addresses: Sequence[str]) -> Iterator[_SignedBody]:
    """Yield each different thing that may have been signed for a body, the likeliest first, at last nothing."""
    reprinted = signature.formed_body(body, SignatureForm.STRINGIFIED)
    are_ascii = all(address.isascii() for address in addresses)
    forms = [(body, ()), (reprinted, (Mismatch.STRINGIFIED,))]
    seen: set[bytes] = set()
    for content, differences in forms:
        if content is not None and content not in seen:
            seen.add(content)
            yield _SignedBody(content, differences)
    for content, differences in forms:
        low = signature.formed_body(content, SignatureForm.LOW_BYTE) if content is not None else None
        if low is not None and (low not in seen or not are_ascii):
            seen.add(low)
            yield _SignedBody(low, (*differences, Mismatch.LOW_BYTE), is_low=True)
    if body:
        yield _SignedBody(b"", (Mismatch.URL_ONLY,))
        if not are_ascii:
            yield _SignedBody(b"", (Mismatch.URL_ONLY, Mismatch.LOW_BYTE), is_low=True)


def _read_header(header: str) -> _Given | None:
    """Return what a header says, if it looks like a digest at all; of several values the first."""
    first, *others = header[:MAX_HEADER_LENGTH].split(",")
    text = _PREFIX.sub("", first, count=1).rstrip(" \t\"'")
    digest, spelling = _decode(text)
    if len(digest) not in HASHES:
        return None
    hash_, meaning = HASHES[len(digest)]
    around = (Mismatch.SPELLING,) if text != first else ()
    several = (Mismatch.SEVERAL,) if others else ()
    return _Given(digest, hash_, (*meaning, *spelling, *around, *several))


def _decode(text: str) -> tuple[bytes, tuple[Mismatch, ...]]:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text), (Mismatch.HEX,)
    if not _BASE64.fullmatch(text):
        return b"", ()
    unpadded = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        digest = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4))
    except binascii.Error:
        return b"", ()
    if base64.b64encode(digest).decode("ascii") == text:
        return digest, ()
    is_url_safe = base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=") == text.rstrip("=")
    return digest, (Mismatch.BASE64URL if is_url_safe else Mismatch.SPELLING,)
