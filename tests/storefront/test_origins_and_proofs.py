from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from signals_app.storefront import click_tokens
from signals_app.storefront.exceptions import InvalidCall, InvalidOrigin, WrongProof
from signals_app.storefront.origins import origin_of
from signals_app.storefront.payload import BrowserCall, read_call
from signals_app.storefront.proofs import proof_of, proven_identifiers

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ("https://Shop.Example/de/?a=1", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("https://shop.example:8443/x", "https://shop.example:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://localhost:9292", "http://localhost:9292"),
        ("http://[::1]:80", "http://[::1]"),
        (" https://shop.example. ", "https://shop.example"),
    ],
)
def test_an_origin_is_spelled_as_browsers_do(said: str, origin: str) -> None:
    assert origin_of(said) == origin


@pytest.mark.parametrize(
    "said",
    [
        *("", "shop.example", "//shop.example", "ftp://shop.example", "https://", "http://shop.example", "null", "*"),
        *("https://a@shop.example", "https://shop.example:x", "https://*.shop.example", "https://sho p.example"),
        "http://[::1",
    ],
)
def test_what_no_browser_is_on_is_no_origin(said: str) -> None:
    with pytest.raises(InvalidOrigin):
        origin_of(said)


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_spelling_an_origin_again_changes_nothing(address: str) -> None:
    try:
        origin = origin_of(address)
    except InvalidOrigin:
        assume(False)

    assert origin_of(origin) == origin
    assert origin.isascii()
    assert "/" not in origin.removeprefix("https://")


@given(secret=st.text(min_size=1), value=st.text(min_size=1))
def test_a_proof_is_what_every_language_computes(secret: str, value: str) -> None:
    try:
        expected = hmac.new(secret.encode(), value.encode(), hashlib.sha256).hexdigest()
    except UnicodeEncodeError:
        assume(False)

    assert proof_of(secret, value) == expected


@given(st.emails(), st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_only_the_secret_proves_an_address(email: str, guess: str) -> None:
    call = BrowserCall(email=email.lower(), said_email=email, proof=proof_of(SECRET, email.lower()))

    assert proven_identifiers(call, [SECRET]) == {"email": email.lower()}
    assert proven_identifiers(call, ["new", SECRET]) == {"email": email.lower()}
    for secrets, proof in ((["other"], call.proof), ([SECRET], guess)):
        with pytest.raises(WrongProof):
            proven_identifiers(BrowserCall(email=email.lower(), said_email=email, proof=proof), secrets)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(InvalidCall):
        assert read_call(body) != BrowserCall()


@given(
    path=st.text(alphabet=st.characters(codec="ascii", exclude_characters="?#"), max_size=20),
    query=st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"], include_characters="=&%+"), max_size=30),
    fragment=st.text(alphabet="abc/?&=", max_size=10),
)
def test_a_token_is_added_behind_all_that_stands_in_a_link(path: str, query: str, fragment: str) -> None:
    assume(path.isprintable())
    address = (
        f"https://shop.example/{path.strip()}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    )

    decorated = urlsplit(click_tokens.with_token(address, "to-ken:1"))

    assert decorated.query.startswith(query)
    assert len(decorated.query) - len(query) in {len("ia_click=to-ken:1"), len("&ia_click=to-ken:1")}
    assert parse_qsl(decorated.query)[-1] == ("ia_click", "to-ken:1")
    assert decorated.fragment == urlsplit(address).fragment
    assert decorated.path == urlsplit(address).path
