import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signals_app.webhooks import payload
from signals_app.webhooks.exceptions import MalformedDelivery

DOCUMENTED = {
    "drop_proba": 0.95,
    "perfomance": 1.2,
    "num_events": 10,
    "num_loops": 2,
    "num_broken_buttons": 1,
    "avg_loops": 2.3,
    "avg_broken_buttons": 1,
    "relevant_events": [{"name": "/products/cafe"}],
}


def parse(body: Any) -> payload.ParsedSignal:
    return payload.parse(body if isinstance(body, bytes) else json.dumps(body).encode())


def problem_of(parsed: payload.ParsedSignal, name: str) -> str | None:
    return next((issue["problem"] for issue in parsed.issues if issue["field"] == name), None)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def strings_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings_in(part)]
    return [text for part in value for text in strings_in(part)] if isinstance(value, list) else []


class TestADocumentedBody:
    def test_is_read_without_issues(self) -> None:
        parsed = parse(DOCUMENTED)

        assert (parsed.drop_proba, parsed.performance, parsed.num_events, parsed.avg_loops) == (0.95, 1.2, 10, 2.3)
        assert (parsed.num_loops, parsed.num_broken_buttons, parsed.avg_broken_buttons) == (2, 1, 1.0)
        assert parsed.relevant_events == [{"name": "/products/cafe"}]
        assert (parsed.extra, parsed.issues) == ({}, [])

    def test_may_have_a_byte_order_mark(self) -> None:
        assert parse(b"\xef\xbb\xbf" + json.dumps(DOCUMENTED).encode()) == parse(DOCUMENTED)

    def test_may_lack_every_field(self) -> None:
        assert parse({}) == payload.ParsedSignal()

    def test_keeps_keys_that_are_not_documented(self) -> None:
        parsed = parse(DOCUMENTED | {"user": {"id": 7, "email": "anna@example.com"}, "beta": True})

        assert parsed.extra == {"user": {"id": 7, "email": "anna@example.com"}, "beta": True}


@pytest.mark.parametrize(
    ("value", "performance", "problem"),
    [
        ({"perfomance": 1.4}, 1.4, None),
        ({"performance": 1.4}, 1.4, None),
        ({"perfomance": 1.4, "performance": 1.4}, 1.4, None),
        ({"perfomance": 1.4, "performance": 9}, 1.4, "differs from perfomance, which counts"),
        ({"perfomance": "x", "performance": 9}, 9.0, None),
    ],
)
def test_performance_is_read_in_both_spellings(value: Any, performance: float, problem: str | None) -> None:
    parsed = parse(value)

    assert parsed.performance == performance
    assert problem_of(parsed, "performance") == problem


@pytest.mark.parametrize(
    ("literal", "drop_proba", "problem"),
    [
        ("0", 0.0, None),
        ("1", 1.0, None),
        ("-0.0", 0.0, None),
        ("1.0000001", None, "above 1"),
        ("-0.1", None, "below 0"),
        ("true", None, "not a number"),
        ('"0.95"', None, "not a number"),
        ("[0.95]", None, "not a number"),
        ("null", None, None),
        ("NaN", None, "not a finite number"),
        ("Infinity", None, "not a finite number"),
        ("1e400", None, "not a finite number"),
    ],
)
def test_drop_proba_is_a_number_from_0_to_1_or_null_with_an_issue(
    literal: str, drop_proba: float | None, problem: str | None
) -> None:
    parsed = parse(b'{"drop_proba": %b, "num_events": 3}' % literal.encode())

    assert parsed.drop_proba == drop_proba
    assert problem_of(parsed, "drop_proba") == problem
    assert parsed.num_events == 3, "the other fields are not lost"


@pytest.mark.parametrize(
    ("literal", "count", "problem"),
    [
        ("3.0", 3, None),
        ("3.5", None, "not a whole number"),
        ("-1", None, "below 0"),
        ("false", None, "not a number"),
        ("9223372036854775807", 2**63 - 1, None),
        ("9223372036854775808", 2**63 - 1, "larger than 64 bits, clamped"),
        ("1e30", 2**63 - 1, "larger than 64 bits, clamped"),
        ("9" * 10_000, 2**63 - 1, "larger than 64 bits, clamped"),
    ],
)
def test_counts_are_whole_numbers_of_64_bits(literal: str, count: int | None, problem: str | None) -> None:
    parsed = parse(b'{"num_events": %b}' % literal.encode())

    assert parsed.num_events == count
    assert problem_of(parsed, "num_events") == problem


@pytest.mark.parametrize(
    ("value", "names", "issues"),
    [
        ([{"name": "/a"}, {"name": "/b"}], ["/a", "/b"], 0),
        ({"name": "/a"}, ["/a"], 0),
        (["/a", {"name": "/b"}], ["/a", "/b"], 0),
        ("/a", ["/a"], 0),
        (None, [], 0),
        ([], [], 0),
        (7, [], 1),
        ([{"name": "/a"}, {"name": 7}, {}, None, " ", {"name": "/b"}], ["/a", "/b"], 4),
    ],
)
def test_relevant_events_are_read_in_every_likely_shape(value: Any, names: list[str], issues: int) -> None:
    parsed = parse({"relevant_events": value})

    assert [event["name"] for event in parsed.relevant_events] == names
    assert len(parsed.issues) == issues


def test_more_than_200_events_are_cut() -> None:
    parsed = parse({"relevant_events": [f"/{n}" for n in range(201)]})

    assert len(parsed.relevant_events) == 200
    assert problem_of(parsed, "relevant_events")


def test_repeated_keys_count_last_and_are_named() -> None:
    parsed = parse(b'{"num_events": 1, "num_events": 2, "user": {"id": 1, "id": 2}}')

    assert (parsed.num_events, parsed.extra) == (2, {"user": {"id": 2}})
    assert {issue["field"] for issue in parsed.issues} == {"num_events", "user.id"}


def test_characters_that_no_database_keeps_are_replaced() -> None:
    parsed = parse(rb'{"a\u0000": "x\ud800y", "relevant_events": [{"name": "/\u0000"}]}')

    assert parsed.extra == {"a\ufffd": "x\ufffdy"}
    assert parsed.relevant_events == [{"name": "/\ufffd"}]
    assert len(parsed.issues) == 3


def test_bytes_that_are_not_utf_8_are_replaced_and_the_numbers_kept() -> None:
    parsed = parse(b'{"drop_proba": 0.5, "city": "caf\xe9"}')

    assert (parsed.drop_proba, parsed.extra) == (0.5, {"city": "caf\ufffd"})
    assert problem_of(parsed, "")


def test_long_strings_many_keys_and_deep_values_are_cut() -> None:
    deep: Any = "leaf"
    for _ in range(150):
        deep = [deep]
    parsed = parse({"long": "x" * 5_000, "deep": deep, "many": {f"k{n}": n for n in range(1_200)}, "num_events": 1})

    assert len(parsed.extra["long"]) == 4_096
    assert len(parsed.extra["many"]) < 1_000
    assert depth_of(parsed.extra) <= 32
    assert parsed.num_events == 1
    assert {problem_of(parsed, "long"), problem_of(parsed, "many")} <= {
        "cut to 4096 characters",
        "more than 1000 keys, the others were left out",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b"{}{}",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":1} // comment',
        b"drop_proba=0.9",
        b"\xff\xfe{\x00}\x00",
        b"\x00",
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":"\\ud8"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_anything_but_one_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedDelivery):
        payload.parse(body)


def test_brackets_inside_strings_are_not_depth() -> None:
    assert payload.parse(json.dumps({"a": '["\\' * 500}).encode()).extra == {"a": '["\\' * 500}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
bodies = st.dictionaries(st.sampled_from(sorted(payload.DOCUMENTED)) | st.text(), json_values)


@given(
    st.binary() | bodies.map(lambda body: json.dumps(body).encode()) | json_values.map(lambda v: json.dumps(v).encode())
)
@example(b'{"x": 1e999, "y": -1e999, "drop_proba": 1e999}')
@example(b'{"x": "\\ud83d", "\\udc00": "\\u0000"}')
def test_any_bytes_are_read_or_refused_and_what_is_read_can_be_kept(body: bytes) -> None:
    try:
        parsed = payload.parse(body)
    except MalformedDelivery:
        return

    kept = [parsed.extra, parsed.relevant_events, parsed.issues]
    json.dumps(kept, allow_nan=False)
    for text in strings_in(kept):
        text.encode("utf-8")
        assert "\x00" not in text
    assert parsed.drop_proba is None or 0 <= parsed.drop_proba <= 1
    for count in (parsed.num_events, parsed.num_loops, parsed.num_broken_buttons):
        assert count is None or (type(count) is int and 0 <= count < 2**63)
