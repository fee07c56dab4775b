import json
from datetime import UTC
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import traffic
from benchmarks.load import NoAnswer, _is_complete
from benchmarks.textbook.fields import FIELDS as FIELDS_OF_PEER
from signals_app.remarketing.signal_fields import SIGNAL_FIELDS
from signals_app.segments import conditions
from signals_app.webhooks import mapping, payload, signature


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_every_signal_is_clean_and_names_its_shopper(number: int, shoppers: int) -> None:
    parsed = payload.parse(traffic.body(number, shoppers=shoppers))

    found = mapping.extract(mapping.compile_mapping({}), parsed.extra, parsed.relevant_events)
    shopper = traffic.shopper_of(number, shoppers=shoppers)
    assert parsed.issues == found.issues == []
    assert found.identifiers == {"external_id": f"u{shopper}", "email": f"u{shopper}@shopper.example"}
    assert parsed.relevant_events
    assert 0 <= shopper < shoppers


def test_no_two_numbers_are_the_same_bytes() -> None:
    bodies = {traffic.body(number, shoppers=50) for number in range(2_000)}

    assert len(bodies) == 2_000
    assert traffic.body(7, shoppers=50) == traffic.body(7, shoppers=50)


def test_a_request_is_signed_as_the_sender_signs() -> None:
    raw, url = traffic.body(1, shoppers=10), "https://crm.example.com/webhooks/insightarc/1/"

    head, _, sent = traffic.request(raw, path="/webhooks/insightarc/1/", secret="s3cret", url=url).partition(
        b"\r\n\r\n"
    )

    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert head.startswith(b"POST /webhooks/insightarc/1/ HTTP/1.1\r\n")
    assert sent == raw
    assert headers["Content-Length"] == str(len(raw))
    assert signature.verifies(["s3cret"], raw, [url], headers["x-insightarc-signature"])


def test_all_triggers_differ_and_are_of_the_grammar_of_both() -> None:
    ours = {field.name: field for field in SIGNAL_FIELDS}
    triggers = traffic.triggers(200)

    assert len({name for name, _ in triggers}) == 200
    assert len({json.dumps(tree) for _, tree in triggers}) > 100
    for _, tree in triggers:
        assert conditions.parse(tree, ours, zone=UTC)
        assert conditions.parse(tree, FIELDS_OF_PEER, zone=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nserver: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nserver: x\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["length", "empty", "chunks"],
)
def test_an_answer_is_complete_at_its_last_byte_and_not_before(answer: bytes) -> None:
    lengths = [_is_complete(answer[:length]) for length in range(len(answer) + 1)]

    assert lengths[-1] is True
    assert not any(lengths[:-1])
    assert all(before <= after for before, after in pairwise(lengths))


def test_an_answer_that_does_not_say_how_long_it_is_is_refused() -> None:
    with pytest.raises(NoAnswer, match="without a length"):
        _is_complete(b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n")
