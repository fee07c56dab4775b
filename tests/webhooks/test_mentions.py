"""Whether a body names a person: whatever it looks like, and nobody else for them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers.joining import Key
from signals_app.customers.mentions import Mentions

ANNA = (Key("email", "anna@example.com"), Key("external_id", "anna-1"), Key("session_id", "7"))

addresses = st.from_regex(r"\A[a-zß-ž0-9]{1,12}([.+][a-z0-9]{1,5})?@[a-z]{2,9}\.[a-z]{2,4}\Z")
around = st.text(st.characters(exclude_categories=["Cs", "L", "N"], exclude_characters="-_.+@%\\"), max_size=20)


@pytest.mark.parametrize(
    "body",
    [
        '{"email": "anna@example.com"}',
        '{"email": "ANNA@Example.COM"}',
        '{"email":"anna\\u0040example.com"',
        "[https://shop.example/?mail=anna%40example.com]",
        "<anna@example.com>",
        '{"id": "anna-1"}',
        "user:anna-1;",
    ],
)
def test_finds_the_person_in_whatever_is_readable(body: str) -> None:
    assert Mentions(ANNA).found_in(body)


@pytest.mark.parametrize(
    "body",
    ['{"email": "joanna@example.com"}', '{"num_loops": 7}', "anna-12", "banna-1", "anna@example.com-old", "", "\x00"],
)
def test_takes_nobody_else_for_them(body: str) -> None:
    assert not Mentions(ANNA).found_in(body)


@given(email=addresses, before=around, after=around)
def test_finds_an_address_in_every_spelling(email: str, before: str, after: str) -> None:
    wanted = Mentions([Key("email", email)])

    for said in (
        email,
        email.upper() if email.upper().casefold() == email.casefold() else email,
        quote(email, safe=""),
    ):
        assert wanted.found_in(f"{before} {said} {after}")
    for ascii_only in (True, False):
        assert wanted.found_in(json.dumps({"deep": [{"mail": email}]}, ensure_ascii=ascii_only))


@given(texts=st.lists(st.text(), max_size=4))
def test_of_nobody_nothing_is_found(texts: list[str]) -> None:
    assert not any(Mentions([]).found_in(text) for text in texts)
    assert not any(Mentions([Key("session_id", "7")]).found_in(text) for text in texts)


def test_what_the_connection_maps_counts_however_short_it_is() -> None:
    assert Mentions(ANNA).names({"session_id": "7", "email": "bob@example.com"})
    assert not Mentions(ANNA).names({"external_id": "7"})
