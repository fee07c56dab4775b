from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.segments import conditions, rows
from signals_app.segments.fields import Field, FieldType, Scope

FIELDS = {
    field.name: field
    for field in (
        Field("score", "Score", FieldType.NUMBER, Scope.SIGNAL),
        Field("exit", "Exit likelihood", FieldType.NUMBER, Scope.SIGNAL, unit="%"),
        Field("city", "City", FieldType.TEXT, Scope.SIGNAL),
        Field("clean", "Is clean", FieldType.BOOLEAN, Scope.SIGNAL),
        Field("seen", "Last seen", FieldType.DATETIME, Scope.SIGNAL),
        Field(
            "stage", "Stage", FieldType.CHOICE, Scope.SIGNAL, choices=(("browsing", "Browsing"), ("high", "High, very"))
        ),
        Field("products", "Products", FieldType.LIST, Scope.SIGNAL),
    )
}

texts = st.text("ab 5é,%“雪", min_size=1, max_size=6)
numbers = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).filter(lambda number: number == 0 or abs(number) > 1e-6)


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    field = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
    op = draw(st.sampled_from(conditions.OPS_BY_TYPE[field.type]))
    leaf: dict[str, Any] = {"field": field.name, "op": op}
    if op in conditions.OPS_WITHOUT_VALUE:
        return leaf
    if op in rows.DAY_OPS:
        return leaf | {"value": draw(st.integers(1, 3000))}
    single: st.SearchStrategy[Any] = {
        FieldType.NUMBER: numbers,
        FieldType.CHOICE: st.sampled_from(["browsing", "high"]),
        FieldType.DATETIME: st.just("2026-11-24"),
    }.get(field.type, texts)
    return leaf | {"value": draw(st.lists(single, min_size=1, max_size=3) if op in rows.LIST_OPS else single)}


groups = st.sampled_from(["all", "any"]).flatmap(
    lambda join: st.lists(leaves(), min_size=1, max_size=4).map(lambda found: {join: found})
)
trees = (
    st.just({})
    | leaves()
    | st.recursive(
        leaves() | groups,
        lambda children: st.builds(
            lambda join, found: {join: found},
            st.sampled_from(["all", "any"]),
            st.lists(children, min_size=1, max_size=4),
        ),
        max_leaves=12,
    )
)


def answers(tree: dict[str, Any]) -> Any:
    """Return the tree as nested tuples in which groups of one and groups in groups of the same kind are dissolved."""
    for join in ("all", "any"):
        if join in tree:
            parts: list[Any] = []
            for branch in map(answers, tree[join]):
                parts.extend(branch[1]) if branch[0] == join else parts.append(branch)
            return parts[0] if len(parts) == 1 else (join, parts)
    return ("leaf", tree)


@given(trees)
def test_rows_say_the_same_as_the_tree_they_were_made_of(tree: dict[str, Any]) -> None:
    found = rows.rows_of(tree, FIELDS)

    if found is not None:
        assert answers(rows.tree_of(found, FIELDS)) == answers(tree)


@given(trees)
def test_rows_saved_untouched_leave_the_tree_as_it_is(tree: dict[str, Any]) -> None:
    found = rows.rows_of(tree, FIELDS)

    if found is not None:
        assert rows.edited_tree(found, tree, FIELDS) == tree


@given(trees)
def test_the_tree_of_rows_is_one_of_the_grammar(tree: dict[str, Any]) -> None:
    found = rows.rows_of(tree, FIELDS)

    if found is not None:
        conditions.parse(rows.tree_of(found, FIELDS), FIELDS, zone=UTC)


@pytest.mark.parametrize(
    "tree",
    [
        {"not": {"field": "score", "op": "gte", "value": 1}},
        {"all": [{"any": [{"all": [{"field": "score", "op": "gte", "value": 1}] * 2}] * 2}] * 2},
        {"all": [{"field": "gone", "op": "gte", "value": 1}]},
        {"all": [{"field": "city", "op": "in", "value": ["Bonn, Rhein"]}]},
        {"all": [{"field": "city", "op": "eq", "value": " Bonn"}]},
        {"all": [{"field": "score", "op": "gte", "value": 1, "note": "mine"}]},
        {"all": "everything"},
        {"all": [], "any": []},
        [],
        None,
    ],
)
def test_what_rows_cannot_say_has_no_rows(tree: Any) -> None:
    assert rows.rows_of(tree, FIELDS) is None


def test_a_group_of_alternatives_stands_beside_the_plain_conditions() -> None:
    tree = {
        "all": [
            {"field": "exit", "op": "gte", "value": 0.8},
            {"field": "score", "op": "gte", "value": 6},
            {"any": [{"field": "stage", "op": "eq", "value": "high"}, {"field": "clean", "op": "is_true"}]},
        ]
    }

    assert rows.rows_of(tree, FIELDS) == rows.Rows(
        "all",
        (
            rows.Group("all", (rows.Row("exit", "gte", "80"), rows.Row("score", "gte", "6"))),
            rows.Group("any", (rows.Row("stage", "eq", "High, very"), rows.Row("clean", "is_true", ""))),
        ),
    )


@pytest.mark.parametrize(
    ("row", "part", "said"),
    [
        (rows.Row("", "gte", "5"), "field", "Choose what “5” should be compared with."),
        (rows.Row("nonsense", "gte", "5"), "field", "“nonsense” cannot be used here."),
        (rows.Row("score", "", "5"), "op", "Score: choose a comparison."),
        (rows.Row("score", "contains", "5"), "op", "Score: “contains” does not fit"),
        (rows.Row("score", "gte", "many"), "value", "Score: “many” is not a number."),
        (rows.Row("score", "gte", "NaN"), "value", "Score: “NaN” is not a number."),
        (rows.Row("score", "gte", "1e400"), "value", "Score: “1e400” is not a number."),
        (rows.Row("score", "gte", "  "), "value", "Score: enter a value."),
        (rows.Row("seen", "within_days", "soon"), "value", "Last seen: “soon” is not a number of days."),
        (rows.Row("stage", "eq", "Gone"), "value", "Stage: “Gone” is none of: Browsing, High, very."),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: rows.Row, part: str, said: str) -> None:
    edited = rows.Rows("all", (rows.Group("all", (rows.Row("score", "gte", "1"), row)),))

    with pytest.raises(rows.InvalidRows) as caught:
        rows.tree_of(edited, FIELDS)

    (problem,) = caught.value.problems
    assert (problem.group, problem.row, problem.part) == (0, 1, part)
    assert problem.message.startswith(said)


@pytest.mark.parametrize(
    ("text", "value"), [("80", 0.8), ("80 %", 0.8), ("80,5", 0.805), ("7", 0.07), ("100", 1.0), ("0", 0.0)]
)
def test_per_cent_are_typed_as_people_write_them(text: str, value: float) -> None:
    edited = rows.Rows("all", (rows.Group("all", (rows.Row("exit", "gte", text),)),))

    assert rows.tree_of(edited, FIELDS) == {"all": [{"field": "exit", "op": "gte", "value": value}]}


def test_a_share_reads_as_per_cent() -> None:
    node = conditions.parse({"field": "exit", "op": "gte", "value": 0.83}, FIELDS, zone=UTC)

    assert conditions.sentence(node) == "Exit likelihood is at least 83 %"
