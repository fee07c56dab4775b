"""Naming what a signature was made of, without a database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.webhooks import forensics, signature
from signals_app.webhooks.address_variants import MAX_VARIANTS, variants
from signals_app.webhooks.constants import Mismatch, SignatureForm
from signals_app.webhooks.forensics import Diagnosis, Key

SECRET, PREVIOUS, FOREIGN = "whsec_test", "whsec_old", "whsec_other"
KEYS = [Key(SECRET), Key(PREVIOUS, Mismatch.PREVIOUS_SECRET), Key(FOREIGN, Mismatch.OTHER_CONNECTION)]
URL = "https://crm.example.com/webhooks/insightarc/7/"
BODY = '{"name": "caf\u00e9 \u2013", "drop_proba": 0.50}'.encode()


def digest(body: bytes, url: str, secret: str = SECRET, hash_: Callable[..., Any] = hashlib.sha1) -> bytes:
    return hmac.new(secret.encode(), body + url.encode(), hash_).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def diagnose(header: str, *, body: bytes = BODY, registered: str = URL, known: tuple[str, ...] = ()) -> Diagnosis:
    return forensics.diagnose(keys=KEYS, body=body, registered=[registered], header=header, known=known)


@pytest.mark.parametrize(
    ("registered", "signed", "difference"),
    [
        (URL, "http://crm.example.com/webhooks/insightarc/7/", Mismatch.SCHEME),
        ("http://crm.example.com/a", "https://crm.example.com/a", Mismatch.SCHEME),
        (URL, URL[:-1], Mismatch.SLASH),
        (URL[:-1], URL, Mismatch.SLASH),
        ("https://crm.example.com", "https://crm.example.com/", Mismatch.SLASH),
        ("https://crm.example.com/a?x=1", "https://crm.example.com/a/?x=1", Mismatch.SLASH),
        ("https://CRM.Example.com/a", "https://crm.example.com/a", Mismatch.HOST_CASE),
        ("https://crm.example.com/a", "https://Crm.example.com/a", Mismatch.HOST_CASE),
        (URL, "https://crm.example.com:443/webhooks/insightarc/7/", Mismatch.PORT),
        ("https://crm.example.com:8443/a", "https://crm.example.com/a", Mismatch.PORT),
        ("http://[::1]:8000/a", "http://[::1]/a", Mismatch.PORT),
        ("https://crm.example.com/a", "https://www.crm.example.com/a", Mismatch.WWW),
        ("https://www.crm.example.com/a", "https://crm.example.com/a", Mismatch.WWW),
        ("https://crm.example.com/a?x=1", "https://crm.example.com/a", Mismatch.QUERY),
        ("https://crm.example.com/a#top", "https://crm.example.com/a", Mismatch.QUERY),
        ("https://crm.example.com/?b=2&a=1", "https://crm.example.com/?a=1&b=2", Mismatch.QUERY_ORDER),
        ("https://crm.example.com/?b=2&a=1&c=3", "https://crm.example.com/?c=3&b=2&a=1", Mismatch.QUERY_ORDER),
        ("https://crm.example.com/?d=4&b=2&a=1&c=3", "https://crm.example.com/?a=1&b=2&c=3&d=4", Mismatch.QUERY_ORDER),
        ("https://crm.example.com/caf\u00e9", "https://crm.example.com/caf%C3%A9", Mismatch.PERCENT_ENCODING),
        ("https://crm.example.com/caf%C3%A9", "https://crm.example.com/caf\u00e9", Mismatch.PERCENT_ENCODING),
        ("https://crm.example.com/caf%C3%A9", "https://crm.example.com/caf%c3%a9", Mismatch.PERCENT_ENCODING),
        ("https://crm.example.com/?a=b+c", "https://crm.example.com/?a=b%20c", Mismatch.PERCENT_ENCODING),
        ("https://b\u00fccher.example/a", "https://xn--bcher-kva.example/a", Mismatch.PUNYCODE),
        ("https://xn--bcher-kva.example/a", "https://b\u00fccher.example/a", Mismatch.PUNYCODE),
    ],
)
def test_an_address_that_differs_is_named_with_what_differs(registered: str, signed: str, difference: Mismatch) -> None:
    found = diagnose(signature.sign(SECRET, BODY, signed), registered=registered)

    assert found == Diagnosis((difference,), signed, registered, KEYS[0])


@pytest.mark.parametrize(
    ("known", "difference"),
    [
        ("https://crm.EXAMPLE.com/webhooks/insightarc/7/", Mismatch.HOST_CASE),
        (f"{URL}?shop=1&lang=de", Mismatch.QUERY),
        ("https://other.example.com/webhooks/insightarc/7/", Mismatch.OTHER_ADDRESS),
    ],
)
def test_an_address_that_is_known_otherwise_is_named(known: str, difference: Mismatch) -> None:
    found = diagnose(signature.sign(SECRET, BODY, known), known=(known,))

    assert found == Diagnosis((difference,), known, URL, KEYS[0])


def test_two_things_that_differ_in_the_address_are_both_named() -> None:
    for signed, both in {
        "http://crm.example.com/webhooks/insightarc/7": {Mismatch.SCHEME, Mismatch.SLASH},
        "http://crm.example.com:80/webhooks/insightarc/7/": {Mismatch.SCHEME, Mismatch.PORT},
    }.items():
        found = diagnose(signature.sign(SECRET, BODY, signed))

        assert (set(found.differences), found.signed_url) == (both, signed)


PRINTED = json.dumps(json.loads(BODY), ensure_ascii=False, separators=(",", ":")).encode().replace(b"0.50", b"0.5")
LOW = BODY.decode().encode("utf-16-le")[::2]


@pytest.mark.parametrize(
    ("header", "differences"),
    [
        (b64(digest(PRINTED, URL)), [Mismatch.STRINGIFIED]),
        (b64(digest(LOW, URL)), [Mismatch.LOW_BYTE]),
        (b64(digest(PRINTED.decode().encode("utf-16-le")[::2], URL)), [Mismatch.STRINGIFIED, Mismatch.LOW_BYTE]),
        (b64(digest(BODY, "")), [Mismatch.BODY_ONLY]),
        (b64(digest(PRINTED, "")), [Mismatch.BODY_ONLY, Mismatch.STRINGIFIED]),
        (b64(digest(b"", URL)), [Mismatch.URL_ONLY]),
        (b64(digest(BODY, URL, PREVIOUS)), [Mismatch.PREVIOUS_SECRET]),
        (b64(digest(BODY, URL, FOREIGN)), [Mismatch.OTHER_CONNECTION]),
        (b64(digest(BODY, URL, hash_=hashlib.sha256)), [Mismatch.SHA256]),
        (b64(digest(BODY, URL, hash_=hashlib.sha512)), [Mismatch.SHA512]),
        (digest(BODY, URL).hex(), [Mismatch.HEX]),
        (digest(BODY, URL).hex().upper(), [Mismatch.HEX]),
        (digest(BODY, URL, hash_=hashlib.sha256).hex(), [Mismatch.SHA256, Mismatch.HEX]),
        (b64(digest(BODY, URL)).rstrip("=").replace("+", "-").replace("/", "_"), [Mismatch.BASE64URL]),
        (f"sha1={digest(BODY, URL).hex()}", [Mismatch.HEX, Mismatch.SPELLING]),
        (f'"{b64(digest(BODY, URL))}"', [Mismatch.SPELLING]),
        (f"{b64(digest(BODY, URL))}, {b64(digest(BODY, URL))}", [Mismatch.SEVERAL]),
        (b64(digest(BODY, URL)), [Mismatch.VERIFIES_NOW]),
        (b64(digest(LOW, URL[:-1])), [Mismatch.SLASH, Mismatch.LOW_BYTE]),
        (b64(digest(PRINTED, "http" + URL[5:], PREVIOUS)), [Mismatch.SCHEME, Mismatch.STRINGIFIED, Mismatch.PREVIOUS_SECRET]),
        (digest(BODY, URL[:-1], hash_=hashlib.sha256).hex(), [Mismatch.SLASH, Mismatch.SHA256, Mismatch.HEX]),
        ("", [Mismatch.NO_SIGNATURE]),
        ("Bearer abc", [Mismatch.NO_SIGNATURE]),
        ("a" * 200, [Mismatch.NO_SIGNATURE]),
        (b64(digest(BODY, URL, "unknown")), [Mismatch.NO_MATCH]),
        (b64(digest(BODY + b" ", URL)), [Mismatch.NO_MATCH]),
    ],
)  # fmt: skip
def test_what_was_signed_and_how_it_was_written_is_named(header: str, differences: list[Mismatch]) -> None:
    found = diagnose(header)

    assert list(found.differences) == differences
    assert bool(found.key) is (differences[0] not in (Mismatch.NO_MATCH, Mismatch.NO_SIGNATURE))


def test_low_bytes_are_named_when_only_the_address_has_such_letters() -> None:
    url = "https://crm.example.com/caf\u00e9/"
    header = signature.sign(SECRET, b"{}", url, SignatureForm.LOW_BYTE)

    assert diagnose(header, body=b"{}", registered=url).differences == (Mismatch.LOW_BYTE,)


def test_the_secret_is_in_no_text_of_a_diagnosis() -> None:
    assert SECRET not in repr(diagnose(b64(digest(BODY, URL))))


parts = st.text(st.sampled_from("aA\u00e9%:/?#&=+.@[]-\x00\ud800 xn1"), max_size=60)
addresses = st.tuples(st.sampled_from(["http://", "HTTPS://", "ftp://", ""]), parts).map("".join)


@given(st.lists(addresses | st.text(), max_size=5), st.lists(addresses, max_size=5))
def test_any_address_has_a_bounded_number_of_different_variants(registered: list[str], known: list[str]) -> None:
    found = variants(registered, known)

    assert len(found) <= MAX_VARIANTS
    assert len({variant.text for variant in found}) == len(found)
    assert {variant.text for variant in found} >= set(registered) | set(known)
    assert all(len(variant.differences) <= 3 for variant in found)


@given(
    st.binary(max_size=300), st.one_of(st.text(max_size=300), st.binary(min_size=20, max_size=20).map(b64)), addresses
)
@settings(max_examples=60)
def test_any_request_is_diagnosed_without_an_error_and_never_as_right(body: bytes, header: str, asked: str) -> None:
    found = diagnose(header, body=body, known=(asked,))

    assert found in (Diagnosis((Mismatch.NO_MATCH,)), Diagnosis((Mismatch.NO_SIGNATURE,)))


def test_the_work_for_the_worst_request_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "https://a\u00e9%c3%a9+%20.example.com:444/%aa%BB\u00e9+/?b=\u00e9%aa&a=+%20&c="
    urls = [f"{hostile}{number}" for number in range(60)]
    body = ("[" + "1.50," * 6_000 + '"\u00e9\u2013"]').encode()
    digests, compare = [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: digests.append(1) or compare(one, other))

    begun = time.process_time()
    keys = [Key(str(number)) for number in range(40)]
    found = forensics.diagnose(keys=keys, body=body, registered=urls[:10], header=b64(b"x" * 20), known=urls[10:])

    assert found.differences == (Mismatch.NO_MATCH,)
    assert len(digests) <= forensics.MAX_DIGESTS
    assert time.process_time() - begun < 2
