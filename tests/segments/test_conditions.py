from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.segments import conditions
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Field, FieldType, Scope

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FIELDS = {
    field.name: field
    for field in (
        Field("drop_proba", "Exit likelihood", FieldType.NUMBER, Scope.SIGNAL),
        Field("wait", "Wait", FieldType.NUMBER, Scope.SIGNAL, unit="minutes"),
        Field("city", "City", FieldType.TEXT, Scope.SIGNAL),
        Field("visited_cart", "Visited the cart", FieldType.BOOLEAN, Scope.SIGNAL),
        Field("last_order", "Last order", FieldType.DATETIME, Scope.SIGNAL),
        Field(
            "stage", "Stage", FieldType.CHOICE, Scope.SIGNAL, choices=(("browsing", "Browsing"), ("lapsed", "Lapsed"))
        ),
        Field("viewed", "Viewed products", FieldType.LIST, Scope.SIGNAL),
    )
}


def leaf(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def holds(tree: Any, **values: Any) -> bool:
    return conditions.holds(conditions.parse(tree, FIELDS, zone=UTC), values, now=NOW)


class TestParse:
    @pytest.mark.parametrize(
        ("tree", "path", "field"),
        [
            ([], "", ""),
            ({"all": {}}, "all", ""),
            ({"any": []}, "any", ""),
            ({"all": [], "any": []}, "", ""),
            ({"all": [leaf("drop_proba", "gte", 1), leaf("nothing", "eq", 1)]}, "all.1.field", "nothing"),
            ({"not": leaf("drop_proba", "contains", "a")}, "not.op", "drop_proba"),
            (leaf("drop_proba", "gte", "0.8"), "value", "drop_proba"),
            (leaf("drop_proba", "gte", True), "value", "drop_proba"),
            (leaf("drop_proba", "gte", float("nan")), "value", "drop_proba"),
            (leaf("drop_proba", "gte", float("inf")), "value", "drop_proba"),
            (leaf("drop_proba", "gte"), "value", "drop_proba"),
            (leaf("stage", "eq", "unheard"), "value", "stage"),
            (leaf("stage", "in", "browsing"), "value", "stage"),
            (leaf("city", "eq", "a\x00b"), "value", "city"),
            (leaf("city", "eq", "\ud800"), "value", "city"),
            (leaf("city", "eq", ""), "value", "city"),
            (leaf("visited_cart", "is_true", "yes"), "value", "visited_cart"),
            (leaf("last_order", "within_days", 0), "value", "last_order"),
            (leaf("last_order", "lt", "tomorrow"), "value", "last_order"),
            (leaf("last_order", "lt", 5), "value", "last_order"),
            ({**leaf("city", "eq", "a"), "more": 1}, "", ""),
            ({"field": ["city"], "op": "eq", "value": "a"}, "field", "['city']"),
        ],
    )
    def test_refuses_what_is_not_of_the_grammar_and_says_where(self, tree: Any, path: str, field: str) -> None:
        with pytest.raises(InvalidCondition) as refusal:
            conditions.parse(tree, FIELDS, zone=UTC)

        assert (refusal.value.path, refusal.value.field) == (path, field)

    def test_refuses_endless_nesting(self) -> None:
        tree: dict[str, Any] = {}
        for _ in range(5_000):
            tree = {"not": tree}

        with pytest.raises(InvalidCondition, match="deep"):
            conditions.parse(tree, FIELDS, zone=UTC)

    def test_refuses_too_many_conditions(self) -> None:
        group = {"any": [leaf("visited_cart", "is_true")] * 60}

        with pytest.raises(InvalidCondition, match="more than 100"):
            conditions.parse({"all": [group, group]}, FIELDS, zone=UTC)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(list(FIELDS)),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value"]), inner, max_size=3)
            ),
            max_leaves=8,
        )
    )
    def test_reads_or_refuses_anything(self, tree: Any) -> None:
        try:
            node = conditions.parse(tree, FIELDS, zone=UTC)
        except InvalidCondition:
            return
        assert isinstance(conditions.holds(node, {}, now=NOW), bool)
        assert conditions.sentence(node)


class TestHolds:
    def test_an_empty_tree_holds_for_everyone(self) -> None:
        assert holds({})

    @pytest.mark.parametrize("op", ["eq", "ne", "gt", "gte", "lt", "lte"])
    def test_no_comparison_holds_for_an_unknown_value(self, op: str) -> None:
        assert not holds(leaf("drop_proba", op, 0.5))
        assert holds({"not": leaf("drop_proba", op, 0.5)})

    def test_what_never_happened_is_not_within_any_days(self) -> None:
        assert holds(leaf("last_order", "not_within_days", 30))
        assert not holds(leaf("last_order", "within_days", 30))
        assert holds(leaf("last_order", "within_days", 30), last_order=NOW - timedelta(days=30))
        assert holds(leaf("last_order", "not_within_days", 30), last_order=NOW - timedelta(days=30, seconds=1))

    def test_a_list_that_is_unknown_is_empty(self) -> None:
        assert holds(leaf("viewed", "is_unknown"))
        assert holds(leaf("viewed", "not_contains", "/products/a"))
        assert not holds(leaf("viewed", "contains", "/products/a"))
        assert holds(leaf("viewed", "contains", "/products/a"), viewed=["/products/a"])


class TestEvaluate:
    def test_shows_every_condition_also_after_one_that_fails(self) -> None:
        node = conditions.parse(
            {"all": [leaf("drop_proba", "gte", 0.8), {"not": leaf("visited_cart", "is_true")}, leaf("wait", "lt", 5)]},
            FIELDS,
            zone=UTC,
        )

        results = conditions.evaluate(node, {"drop_proba": 0.5, "visited_cart": True, "wait": 1}, now=NOW)

        assert [(result.sentence, result.actual, result.holds) for result in results] == [
            ("Exit likelihood is at least 0.8", 0.5, False),
            ("not: Visited the cart is yes", True, False),
            ("Wait is less than 5 minutes", 1, True),
        ]


class TestSentence:
    def test_speaks_the_marketers_words(self) -> None:
        tree = {
            "all": [
                leaf("drop_proba", "gte", 0.8),
                {"any": [leaf("stage", "in", ["browsing", "lapsed"]), leaf("last_order", "not_within_days", 1)]},
                {"not": leaf("city", "contains", "Bonn")},
                leaf("last_order", "lt", "2026-11-01"),
            ]
        }

        assert conditions.sentence(conditions.parse(tree, FIELDS, zone=UTC)) == (
            "Exit likelihood is at least 0.8 and (Stage is one of Browsing, Lapsed or Last order is not in the last 1 day)"
            " and not (City contains Bonn) and Last order is before 1 Nov 2026, 00:00"
        )
