from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.webhooks import mapping
from signals_app.webhooks.cleaning import MAX_STRING
from signals_app.webhooks.exceptions import InvalidConfiguration

DEFAULTS = mapping.compile_mapping({})


def extract(body: dict[str, Any], *names: str, raw: Any = None) -> mapping.Extracted:
    compiled = DEFAULTS if raw is None else mapping.compile_mapping(raw)
    return mapping.extract(compiled, body, [{"name": name} for name in names])


class TestTheDefaults:
    @pytest.mark.parametrize(
        ("body", "identifiers"),
        [
            ({"user_id": "u1", "customer_id": "c1"}, {"external_id": "u1"}),
            ({"customer": {"id": 7, "email": "Anna@Example.com"}}, {"external_id": "7", "email": "anna@example.com"}),
            ({"user": {"id": "u1", "email": "a@example.com"}}, {"external_id": "u1", "email": "a@example.com"}),
            ({"visitor_id": "v1", "client_id": "c1"}, {"anonymous_id": "v1"}),
            ({"session_id": "s1"}, {"anonymous_id": "s1", "session_id": "s1"}),
            ({"anonymous_id": "v1", "session": {"id": "s1"}}, {"anonymous_id": "v1", "session_id": "s1"}),
            ({}, {}),
        ],
    )
    def test_find_the_usual_keys_in_order(self, body: dict[str, Any], identifiers: dict[str, str]) -> None:
        assert extract(body).identifiers == identifiers
        assert extract(body).issues == []

    @pytest.mark.parametrize("value", [True, 1.5, {"id": 1}, ["u1"], "x" * 256, "undefined", "null", 0, " ", "a\nb"])
    def test_pass_over_what_cannot_be_an_id_and_name_it(self, value: Any) -> None:
        found = extract({"user_id": value, "customer_id": "c1"})

        assert found.identifiers == {"external_id": "c1"}
        assert [issue["field"] for issue in found.issues] == ["user_id"]

    def test_pass_over_an_address_that_is_none(self) -> None:
        assert extract({"email": "anna", "user": {"email": "a@example.com"}}).identifiers == {"email": "a@example.com"}

    @pytest.mark.parametrize("body", [{"user": "u1"}, {"user": None}, {"user": [1]}, {"user_id": None}, {"email": ""}])
    def test_find_nothing_where_there_is_nothing(self, body: dict[str, Any]) -> None:
        assert extract(body) == mapping.Extracted({}, None, [])


class TestAMappingOfAStoresOwn:
    def test_replaces_the_default_paths_of_the_field_it_names(self) -> None:
        raw = {"external_id": {"paths": ["shop.kundennummer"]}}
        found = extract({"shop": {"kundennummer": "k1"}, "user_id": "u1", "email": "a@example.com"}, raw=raw)

        assert found.identifiers == {"external_id": "k1", "email": "a@example.com"}

    def test_may_use_jmespath_over_the_whole_body(self) -> None:
        raw = {"external_id": {"paths": [], "jmespath": "ids[?type=='crm'].value | [0]"}}
        body = {"ids": [{"type": "web", "value": "w"}, {"type": "crm", "value": "c"}]}

        assert extract(body, raw=raw).identifiers["external_id"] == "c"

    def test_survives_an_expression_that_fails_on_a_body(self) -> None:
        found = extract({"ids": 7, "email": "a@example.com"}, raw={"external_id": {"jmespath": "sort(ids)"}})

        assert found.identifiers == {"email": "a@example.com"}
        assert found.issues[0]["field"] == "external_id"

    def test_may_look_for_a_query_parameter_in_the_visited_addresses(self) -> None:
        raw = {"external_id": {"query_parameter": "uid"}}

        names = ["/products/a?x=1", "https://shop.example.com/p?uid=u%201&b=2", "not an address", "http://[::1"]
        assert extract({}, *names, raw=raw).identifiers == {"external_id": "u 1"}

    def test_takes_nobody_from_an_address_that_was_cut(self) -> None:
        cut = "/p?" + "&uid=47".rjust(MAX_STRING - 3, "x")

        assert extract({}, cut, raw={"external_id": {"query_parameter": "uid"}}).identifiers == {}

    def test_takes_nobody_when_the_addresses_name_two_people(self) -> None:
        found = extract({}, "/a?uid=u1", "/b?uid=u2", raw={"external_id": {"query_parameter": "uid"}})

        assert found.identifiers == {}
        assert found.issues == [{"field": "external_id", "problem": "the addresses name several in uid"}]

    @pytest.mark.parametrize(
        ("raw", "field"),
        [
            ([], "identity_mapping"),
            ({"phone": {}}, "identity_mapping"),
            ({"email": []}, "identity_mapping.email"),
            ({"email": {"path": "email"}}, "identity_mapping.email"),
            ({"email": {"paths": "email"}}, "identity_mapping.email.paths"),
            ({"email": {"paths": ["a..b"]}}, "identity_mapping.email.paths"),
            ({"email": {"paths": ["a"] * 21}}, "identity_mapping.email.paths"),
            ({"email": {"jmespath": "a["}}, "identity_mapping.email.jmespath"),
            ({"email": {"jmespath": "nosuch(a)"}}, "identity_mapping.email.jmespath"),
            ({"email": {"jmespath": "(" * 499}}, "identity_mapping.email.jmespath"),
            ({"email": {"jmespath": 7}}, "identity_mapping.email.jmespath"),
            ({"email": {"query_parameter": "a=b"}}, "identity_mapping.email.query_parameter"),
        ],
    )
    def test_is_refused_with_the_field_named_when_it_cannot_be_used(self, raw: Any, field: str) -> None:
        with pytest.raises(InvalidConfiguration) as refused:
            mapping.compile_mapping(raw)

        assert refused.value.field == field


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-24T10:00:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T11:00:00+01:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        (1_795_514_400, datetime(2026, 11, 24, 10, tzinfo=UTC)),
        (1_795_514_400_000, datetime(2026, 11, 24, 10, tzinfo=UTC)),
    ],
)
def test_the_time_of_the_event_is_read_in_its_usual_spellings(value: Any, moment: datetime) -> None:
    assert extract({"occurred_at": value}).occurred_at == moment


@pytest.mark.parametrize(
    "value", ["yesterday", "9999-12-31T23:59:59+00:00", True, 1e300, -1, [], "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_is_none_is_an_issue(value: Any) -> None:
    found = extract({"timestamp": value})

    assert found.occurred_at is None
    assert found.issues == [{"field": "timestamp", "problem": "not a time"}]


@given(
    st.dictionaries(
        st.sampled_from(["user_id", "email", "user", "session_id", "timestamp"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "email"]), inner),
            max_leaves=6,
        ),
    ),
    st.lists(st.text(), max_size=4),
)
def test_any_clean_body_is_searched_without_an_error(body: dict[str, Any], names: list[str]) -> None:
    raw = {"external_id": {"jmespath": "user.id || max(user)", "query_parameter": "uid"}}

    found = extract(body, *names, raw=raw)

    assert all(value and len(value) <= 255 for value in found.identifiers.values())
