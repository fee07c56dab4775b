"""The form field that edits a condition tree as rows in groups; every room that has such trees uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from signals_app.segments import conditions, fields, rows
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Field, Scope

EXTRA_ROWS = 2
"""Empty rows below each group, so that the form works without JavaScript."""

SCOPE_LABELS = {Scope.PROFILE: "Profile", Scope.SIGNAL: "Signal", Scope.ORDER: "Order"}


@dataclass(frozen=True)
class Submitted:
    """What a browser sent: rows, or JSON where rows cannot say it."""

    rows: rows.Rows | None = None
    json_text: str = ""


def sentence_of(tree: Any, scope: Scope, *, empty: str) -> str:
    """Return the tree in plain words, `empty` for a tree that holds always, and what is wrong with an unreadable one."""
    if tree == {}:
        return empty
    try:
        return conditions.sentence(conditions.parse(tree, fields.fields(scope)))
    except InvalidCondition as error:
        return f"Not readable: {error}"


class ConditionsWidget(forms.Widget):
    """Rows of selects and inputs; the stylesheet and script improve it, and it works without either."""

    def __init__(self, *, scope: Scope, offered: tuple[Scope, ...] = ()) -> None:
        super().__init__()
        self.scope = scope
        self.offered = offered or (scope,)

    class Media:
        css = {"all": ["segments/conditions.css"]}
        js = ["segments/conditions.js"]

    def use_required_attribute(self, initial: Any) -> bool:
        return False

    def id_for_label(self, id_: str) -> str:
        return f"{id_}-0-0-field"

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-mode" not in data

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Submitted:
        if data.get(f"{name}-mode") == "json":
            return Submitted(json_text=str(data.get(f"{name}-json", "")))
        pattern = re.compile(rf"{re.escape(name)}-(\d{{1,3}})-(\d{{1,3}})-(field|op|value)")
        found: dict[int, dict[int, rows.Row]] = {}
        for key in data:
            if match := pattern.fullmatch(key):
                group, row, part = int(match[1]), int(match[2]), match[3]
                before = found.setdefault(group, {}).get(row, rows.Row())
                found[group][row] = replace(before, **{part: str(data[key])})
        groups = tuple(
            rows.Group(
                str(data.get(f"{name}-{number}-join", rows.ALL)),
                tuple(found[number][row] for row in sorted(found[number])),
            )
            for number in sorted(found)
        )
        return Submitted(rows=without_empty(rows.Rows(str(data.get(f"{name}-join", rows.ALL)), groups)))

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        submitted = value if isinstance(value, Submitted) else shown(value, self.scope)
        context = {"name": name, "id": (attrs or {}).get("id", f"id_{name}"), "choices": self._field_choices()}
        if submitted.rows is None:
            return render_to_string(
                "admin/segments/conditions_json.html", context | _json_context(submitted, self.scope)
            )
        problems = {(problem.group, problem.row): problem for problem in problems_of(submitted.rows, self.scope)}
        context |= {
            "join": submitted.rows.join,
            "groups": _groups_context(name, submitted.rows, problems),
            "spare_row": {"prefix": f"{name}-__group__-__row__", "row": rows.Row()},
            "ops": _op_choices(),
        }
        return render_to_string("admin/segments/conditions.html", context)

    def _field_choices(self) -> list[dict[str, Any]]:
        """Return the fields in groups: [{"label", "scope", "fields": [Field and its comparisons]}]."""
        groups: dict[tuple[Scope, str], list[dict[str, Any]]] = {}
        for scope in self.offered:
            for field in fields.fields(scope).values():
                groups.setdefault((scope, field.group or SCOPE_LABELS[scope]), []).append(_field_context(field))
        return [{"label": label, "scope": scope.value, "fields": found} for (scope, label), found in groups.items()]


def without_empty(edited: rows.Rows) -> rows.Rows:
    """Return the rows without the empty ones that the form offers for new conditions."""
    groups = (rows.Group(group.join, tuple(row for row in group.rows if not row.is_empty)) for group in edited.groups)
    return rows.Rows(edited.join, tuple(group for group in groups if group.rows))


def shown(tree: Any, scope: Scope) -> Submitted:
    """Return what the form shows for a stored tree."""
    tree = {} if tree is None else tree
    found = rows.rows_of(tree, fields.fields(scope))
    return (
        Submitted(rows=found)
        if found is not None
        else Submitted(json_text=json.dumps(tree, indent=2, ensure_ascii=False))
    )


def problems_of(edited: rows.Rows, scope: Scope) -> tuple[rows.RowProblem, ...]:
    try:
        rows.tree_of(edited, fields.fields(scope))
    except rows.InvalidRows as error:
        return error.problems
    return ()


def _json_context(submitted: Submitted, scope: Scope) -> dict[str, str]:
    try:
        tree = json.loads(submitted.json_text or "{}")
    except (ValueError, RecursionError):
        return {"json_text": submitted.json_text, "sentence": ""}
    return {"json_text": submitted.json_text, "sentence": sentence_of(tree, scope, empty="")}


def _groups_context(
    name: str, edited: rows.Rows, problems: Mapping[tuple[int, int], rows.RowProblem]
) -> list[dict[str, Any]]:
    """Return every group with its rows, spare rows, and one spare group at the end."""
    context = []
    for number, group in enumerate((*edited.groups, rows.Group())):
        is_spare = number == len(edited.groups)
        shown_rows = [*group.rows, *[rows.Row()] * EXTRA_ROWS]
        context.append(
            {
                "number": number,
                "join": group.join,
                "is_spare": is_spare and number > 0,
                "rows": [
                    {
                        "prefix": f"{name}-{number}-{index}",
                        "row": row,
                        "problem": problems.get((number, index)),
                        "is_spare": index >= len(group.rows),
                    }
                    for index, row in enumerate(shown_rows)
                ],
            }
        )
    return context


def _field_context(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": f"{field.label} ({field.unit})" if field.unit else field.label,
        "type": field.type.value,
        "unit": field.unit,
        "help": field.help,
        "ops": " ".join(conditions.OPS_BY_TYPE[field.type]),
        "choices": json.dumps([[str(value), str(label)] for value, label in field.choices]) if field.choices else "",
    }


def _op_choices() -> list[dict[str, Any]]:
    return [
        {
            "value": op,
            "label": label,
            "date_label": conditions.DATE_OP_WORDS.get(op, ""),
            "needs_value": op not in conditions.OPS_WITHOUT_VALUE,
        }
        for op, label in rows.OP_LABELS.items()
    ]


class ConditionsField(forms.Field):
    """A condition tree of one scope; `clean` returns the tree, the untouched one unchanged."""

    widget: ConditionsWidget

    def __init__(self, *, scope: Scope, offered: tuple[Scope, ...] = (), **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(widget=ConditionsWidget(scope=scope, offered=offered), **kwargs)
        self.scope = scope
        self.before: Any = {}
        """The tree as stored; a form sets it so that rows saved untouched leave it as it is."""

    def use_scope(self, scope: Scope) -> None:
        self.scope = self.widget.scope = scope

    def clean(self, value: Any) -> dict[str, Any]:
        submitted = value if isinstance(value, Submitted) else Submitted(rows=rows.Rows())
        catalogue = fields.fields(self.scope)
        if submitted.rows is None:
            tree = self._tree_of_json(submitted.json_text)
        else:
            try:
                tree = rows.edited_tree(submitted.rows, self.before, catalogue)
            except rows.InvalidRows as error:
                raise forms.ValidationError([problem.message for problem in error.problems]) from error
        try:
            conditions.parse(tree, catalogue)
        except InvalidCondition as error:
            raise forms.ValidationError(str(error)) from error
        return tree

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != (initial or {})
        except forms.ValidationError:
            return True

    def _tree_of_json(self, text: str) -> dict[str, Any]:
        try:
            tree = json.loads(text.strip() or "{}")
        except ValueError as error:
            raise forms.ValidationError(f"This is not JSON: {error}.") from error
        except RecursionError as error:
            raise forms.ValidationError("The conditions are nested too deep.") from error
        if not isinstance(tree, dict):
            raise forms.ValidationError('The conditions must be one JSON object, such as {"all": []}.')
        return tree
