import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.webhooks import signature

SECRET = "whsec_test"
URL = "https://crm.example.com/hooks/insightarc/demo/"
DOCUMENTED = (
    '{"drop_proba":0.95,"perfomance":1.2,"num_events":10,"num_loops":2,"num_broken_buttons":1,"avg_loops":2.3,'
    '"avg_broken_buttons":1,"relevant_events":[{"name":"/products/%s"}]}'
)


@pytest.mark.parametrize(
    ("product", "digest"), [("cafe", "UQc4l99dMumEP+YBXXjR6JS0bp4="), ("café", "BQV8Cv/SIOz7Q8eQJXqVLmXfy8U=")]
)
def test_known_bodies_have_their_known_signatures(product: str, digest: str) -> None:
    body = (DOCUMENTED % product).encode()

    assert signature.sign(SECRET, body, URL) == digest
    assert signature.verifies([SECRET], body, [URL], digest)


@given(st.text(min_size=1), st.binary(), st.text())
def test_what_was_signed_verifies(secret: str, body: bytes, url: str) -> None:
    assert signature.verifies([secret], body, [url], signature.sign(secret, body, url))


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["body", "url", "header", "secret"]), st.data())
def test_any_flipped_bit_fails(body: bytes, part: str, data: st.DataObject) -> None:
    header = signature.sign(SECRET, body, URL).encode()
    parts = {"body": body, "url": URL.encode(), "header": header, "secret": SECRET.encode()}
    flipped = bytearray(parts[part])
    bit = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[bit // 8] ^= 1 << (bit % 8)
    parts[part] = bytes(flipped)

    secret, url = parts["secret"].decode("latin-1"), parts["url"].decode("latin-1")
    assert not signature.verifies([secret], parts["body"], [url], parts["header"])


@given(st.one_of(st.text(), st.binary()))
def test_any_header_is_judged_without_an_error(header: str | bytes) -> None:
    assert not signature.verifies([SECRET], b"{}", [URL], header)


def test_several_secrets_and_addresses_are_valid_at_once() -> None:
    header = signature.sign("new", b"{}", URL)

    assert signature.verifies(["old", "new"], b"{}", ["https://old.example.com/", URL], header)
    assert not signature.verifies(["old"], b"{}", ["https://old.example.com/", URL], header)
    assert not signature.verifies(["new"], b"{}", ["https://old.example.com/"], header)


def test_two_signatures_joined_by_the_server_fail_even_if_both_are_right() -> None:
    header = signature.sign(SECRET, b"{}", URL)

    assert not signature.verifies([SECRET], b"{}", [URL], f"{header},{header}")
    assert not signature.verifies([SECRET], b"{}", [URL], f"{header}, {header}")


def test_an_empty_secret_verifies_nothing() -> None:
    assert not signature.verifies([""], b"{}", [URL], signature.sign("", b"{}", URL))


def test_nothing_verifies_without_secrets_or_addresses() -> None:
    header = signature.sign(SECRET, b"{}", URL)

    assert not signature.verifies([], b"{}", [URL], header)
    assert not signature.verifies([SECRET], b"{}", [], header)
