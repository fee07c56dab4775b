"""Asking a tree of many values at once finds exactly those that asking one by one finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signals_app.segments import conditions
from signals_app.segments.conditions import OPS_BY_TYPE, OPS_WITHOUT_VALUE, Columns
from signals_app.segments.fields import Field, FieldType, Scope

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STAGES = (("browsing", "Browsing"), ("lapsed", "Lapsed"))
FIELDS = {
    field.name: field
    for field in (
        Field("drop_proba", "Exit likelihood", FieldType.NUMBER, Scope.SIGNAL),
        Field("events", "Events", FieldType.NUMBER, Scope.SIGNAL),
        Field("city", "City", FieldType.TEXT, Scope.SIGNAL),
        Field("visited_cart", "Visited the cart", FieldType.BOOLEAN, Scope.SIGNAL),
        Field("last_order", "Last order", FieldType.DATETIME, Scope.SIGNAL),
        Field("stage", "Stage", FieldType.CHOICE, Scope.SIGNAL, choices=STAGES),
        Field("viewed", "Viewed products", FieldType.LIST, Scope.SIGNAL),
    )
}
NUMBERS = st.sampled_from([-1, 0, 0.0, 0.8, 1, 1.0, 3, 2**52]) | st.floats(-10, 10)
TEXTS = st.sampled_from(["a", "ab", "A", "True", "browsing"])
MOMENTS = st.sampled_from([NOW - timedelta(days=days) for days in (0, 1, 7, 30)])
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.NUMBER: NUMBERS,
    FieldType.TEXT: TEXTS,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATETIME: MOMENTS,
    FieldType.CHOICE: st.sampled_from([key for key, _ in STAGES]),
    FieldType.LIST: st.lists(TEXTS, max_size=3),
}
ROWS = st.fixed_dictionaries({}, optional={name: st.none() | VALUES[field.type] for name, field in FIELDS.items()})


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(list(FIELDS.values())))
    op = draw(st.sampled_from(OPS_BY_TYPE[field.type]))
    asked = TEXTS if field.type is FieldType.LIST else VALUES[field.type]
    tree: dict[str, Any] = {"field": field.name, "op": op}
    if op in ("within_days", "not_within_days"):
        tree["value"] = draw(st.sampled_from([1, 7, 30]))
    elif op in ("in", "not_in"):
        tree["value"] = draw(st.lists(asked, min_size=1, max_size=3))
    elif op not in OPS_WITHOUT_VALUE:
        value = draw(asked)
        tree["value"] = value.isoformat() if isinstance(value, datetime) else value
    return tree


TREES = st.recursive(
    leaves(),
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, max_size=4)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=8,
)


@given(rows=st.lists(ROWS, max_size=12), trees=st.lists(TREES, min_size=1, max_size=4))
def test_the_same_as_one_by_one(rows: list[dict[str, Any]], trees: list[Any]) -> None:
    columns = Columns(rows, now=NOW)

    for tree in trees:
        node = conditions.parse(tree, FIELDS, zone=UTC)
        one_by_one = [place for place, values in enumerate(rows) if conditions.holds(node, values, now=NOW)]
        assert columns.holding(node) == one_by_one


def test_what_is_no_number_holds_for_nothing_and_disturbs_nobody() -> None:
    rows = [{"events": value} for value in (5, float("nan"), 1, None, float("inf"), 3)]
    node = conditions.parse({"field": "events", "op": "gte", "value": 3}, FIELDS, zone=UTC)

    assert Columns(rows, now=NOW).holding(node) == [0, 4, 5]


class Counted(dict[str, Any]):
    """Values that count how often they are asked for after they were sorted."""

    asked = 0

    def get(self, *arguments: Any) -> Any:
        Counted.asked += 1
        return super().get(*arguments)


def test_only_those_are_asked_for_whom_the_rarest_comparison_holds() -> None:
    rows = [Counted(drop_proba=0.9, events=number) for number in range(100)]
    tree = {"all": [{"field": "drop_proba", "op": "gte", "value": 0.8}, {"field": "events", "op": "gt", "value": 97}]}
    columns, node = Columns(rows, now=NOW), conditions.parse(tree, FIELDS, zone=UTC)
    assert columns.holding(node) == [98, 99]
    Counted.asked = 0

    assert columns.holding(node) == [98, 99]

    assert Counted.asked == 4
