from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers.constants import KINDS_BY_STRENGTH, MAX_IDENTIFIER_LENGTH
from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.identifiers import normalise, normalise_all

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=300), st.binary(), st.lists(st.text())
)


class TestAnIdentifier:
    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [
            ("email", "  Ada.Lovelace@Example.COM\n", "ada.lovelace@example.com"),
            ("external_id", 4711, "4711"),
            ("external_id", 2**63 - 2, "9223372036854775806"),
            ("external_id", "117029384756102938475", "117029384756102938475"),
            ("external_id", "ABC", "ABC"),
            ("anonymous_id", "Zoe\u0308", "Zo\u00eb"),
        ],
    )
    def test_has_one_spelling(self, kind: str, value: Any, expected: str) -> None:
        assert normalise(kind, value) == expected

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("email", "ada"),
            ("email", "ada@"),
            ("email", "ada@example.com, eve@example.com"),
            ("email", "ada@example.com\r\nBcc: eve@example.com"),
            ("external_id", ""),
            ("external_id", "   "),
            ("external_id", True),
            ("external_id", 1.5),
            ("external_id", ["1"]),
            ("external_id", 2**63 - 1),
            ("external_id", -(2**63)),
            ("external_id", 10**40),
            ("external_id", "a\x00b"),
            ("external_id", "\ud800"),
            ("external_id", "M\ufffdller"),
            ("email", "ada@\ufffd.example"),
            ("external_id", "x" * (MAX_IDENTIFIER_LENGTH + 1)),
            ("anonymous_id", "undefined"),
            ("anonymous_id", "00000000-0000-0000-0000-000000000000"),
            ("phone", "123"),
        ],
    )
    def test_is_refused_with_its_kind_named(self, kind: str, value: Any) -> None:
        with pytest.raises(InvalidIdentifier) as refused:
            normalise(kind, value)

        assert refused.value.field == kind
        assert refused.value.message

    @given(st.sampled_from(KINDS_BY_STRENGTH), anything)
    def test_stays_the_same_when_normalised_again_or_is_refused(self, kind: str, value: Any) -> None:
        try:
            once = normalise(kind, value)
        except InvalidIdentifier:
            return

        assert normalise(kind, once) == once
        assert 0 < len(once) <= MAX_IDENTIFIER_LENGTH
        assert once.strip() == once
        once.encode()

    @given(st.emails())
    def test_that_is_an_address_does_not_depend_on_case(self, email: str) -> None:
        try:
            assert normalise("email", email.upper()) == normalise("email", email.lower())
        except InvalidIdentifier:
            assert "@" in email  # more is allowed in an address than Django's own check lets pass


class TestSeveralIdentifiers:
    def test_come_strongest_first_without_the_empty_ones(self) -> None:
        given = {"session_id": "s", "email": "a@example.com", "anonymous_id": None, "external_id": ""}

        assert list(normalise_all(given)) == ["email", "session_id"]

    def test_are_refused_when_one_kind_is_unknown(self) -> None:
        with pytest.raises(InvalidIdentifier):
            normalise_all({"phone": "123"})
