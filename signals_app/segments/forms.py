"""
The form field that edits a condition tree; every room that has such trees uses it.

With JavaScript it is the builder (`frontend/`), which shows groups in groups and counts while one types. What the page
brings works without: rows in groups, or JSON for what rows cannot say. Either way one form sends one tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.segments import conditions, fields, rows
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Field, FieldType, Scope

EXTRA_ROWS = 2
"""Empty rows below each group, so that the form works without JavaScript."""

LONGEST_TREE = 200_000
"""Characters: many times what a hundred conditions can need."""

SCOPE_LABELS = {Scope.PROFILE: "Profile", Scope.SIGNAL: "Signal", Scope.ORDER: "Order"}


@dataclass(frozen=True)
class Submitted:
    """What a browser sent: rows, or JSON where rows cannot say it."""

    rows: rows.Rows | None = None
    json_text: str = ""


def sentence_of(tree: Any, scope: Scope, *, empty: str) -> str:
    """
    Return the tree in plain words, `empty` for a tree that holds always, and what is wrong with an unreadable one.

    Dates are on the clock of the page, which is the store's.
    """
    if tree == {}:
        return empty
    try:
        node = conditions.parse(tree, fields.fields(scope), zone=timezone.get_current_timezone())
        return conditions.sentence(node)
    except InvalidCondition as error:
        return f"Not readable: {error}"


class ConditionsWidget(forms.Widget):
    """Rows of selects and inputs; the stylesheet and script improve it, and it works without either."""

    def __init__(self, *, scope: Scope, offered: tuple[Scope, ...] = ()) -> None:
        super().__init__()
        self.scope = scope
        self.offered = offered or (scope,)

    class Media:
        css = {"all": ["segments/conditions.css", "segments/builder.css"]}
        js = ["segments/builder.js"]

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
        context = {
            "name": name,
            "id": (attrs or {}).get("id", f"id_{name}"),
            "choices": self._field_choices(),
            "builder": self._builder_context(name, submitted),
        }
        if submitted.rows is None:
            return render_to_string(
                "admin/segments/conditions_json.html", context | _json_context(submitted, self.scope)
            )
        problems = {(problem.group, problem.row): problem for problem in problems_of(submitted.rows, self.scope)}
        context |= {
            "join": submitted.rows.join,
            "groups": _groups_context(name, submitted.rows, problems),
            "ops": _op_choices(),
        }
        return render_to_string("admin/segments/conditions.html", context)

    def _builder_context(self, name: str, submitted: Submitted) -> dict[str, Any] | None:
        """Return what the builder needs to begin; None for what only the boxes of the page can show."""
        tree = tree_of_submitted(submitted, self.scope)
        if tree is None:
            return None
        return {
            "name": name,
            "id": f"builder-{name}",
            "tree": tree,
            "text": submitted.json_text,
            "scope": self.scope.value,
            "fields": {
                scope.value: [_builder_field(field) for field in fields.fields(scope).values()]
                for scope in dict.fromkeys((*self.offered, self.scope))
            },
            "ops": {kind.value: _builder_ops(kind) for kind in FieldType},
            "check": reverse("admin:segments_segment_check"),
            "field": reverse("admin:segments_segment_field"),
        }

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


def tree_of_submitted(submitted: Submitted, scope: Scope) -> Any:
    """Return the tree that was sent or is stored, readable or not; None if it is no tree at all."""
    try:
        if submitted.rows is not None:
            return rows.tree_of(submitted.rows, fields.fields(scope))
        tree = json.loads(submitted.json_text.strip() or "{}")
    except (rows.InvalidRows, ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and not is_deeper_than(tree, conditions.MAX_DEPTH) else None


def is_deeper_than(tree: Any, depth: int) -> bool:
    """Say whether groups stand more than `depth` deep in a tree, without going deeper than that."""
    if depth < 0:
        return True
    inner = [*tree.values()] if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    step = 1 if isinstance(tree, dict) else 0
    return any(is_deeper_than(child, depth - step) for child in inner if isinstance(child, dict | list))


def problems_of(edited: rows.Rows, scope: Scope) -> tuple[rows.RowProblem, ...]:
    try:
        rows.tree_of(edited, fields.fields(scope))
    except rows.InvalidRows as error:
        return error.problems
    return ()


def _json_context(submitted: Submitted, scope: Scope) -> dict[str, Any]:
    try:
        tree = tree_in(submitted.json_text)
    except ValueError:
        return {"json_text": submitted.json_text}
    problems = [sentence_about(problem) for problem in conditions.problems(tree, fields.fields(scope))]
    sentence = "" if problems else sentence_of(tree, scope, empty="")
    return {"json_text": submitted.json_text, "sentence": sentence, "problems": problems}


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
                    }
                    for index, row in enumerate(shown_rows)
                ],
            }
        )
    return context


def _field_context(field: Field) -> dict[str, str]:
    return {"name": field.name, "label": f"{field.label} ({field.unit})" if field.unit else field.label}


def _op_choices() -> list[dict[str, Any]]:
    return [
        {
            "value": op,
            "label": label,
            "date_label": conditions.DATE_OP_WORDS.get(op, ""),
        }
        for op, label in rows.OP_LABELS.items()
    ]


def _builder_field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "group": field.group or SCOPE_LABELS[field.scope],
        "type": field.type.value,
        "unit": field.unit,
        "isShare": field.is_share,
        "help": field.help,
        "choices": [[str(value), str(label)] for value, label in field.choices],
    }


def _builder_ops(kind: FieldType) -> list[dict[str, Any]]:
    words = {**rows.OP_LABELS, **(conditions.DATE_OP_WORDS if kind is FieldType.DATETIME else {})}
    return [
        {"name": op, "label": words[op].replace(" … days", " …"), "needsValue": op not in conditions.OPS_WITHOUT_VALUE}
        for op in conditions.OPS_BY_TYPE[kind]
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
            try:
                tree = tree_in(submitted.json_text)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        else:
            try:
                tree = rows.edited_tree(submitted.rows, self.before, catalogue)
            except rows.InvalidRows as error:
                raise forms.ValidationError(pointer_to(len(error.problems))) from error
        if problems := conditions.problems(tree, catalogue):
            are_shown = submitted.rows is None
            raise forms.ValidationError(
                pointer_to(len(problems)) if are_shown else [sentence_about(problem) for problem in problems]
            )
        return tree

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != (initial or {})
        except forms.ValidationError:
            return True


def pointer_to(count: int) -> str:
    """Return what stands below conditions of which the widget says what is wrong with each, so that it is said once."""
    return "Mend the condition that is marked." if count == 1 else f"Mend the {count} conditions that are marked."


def sentence_about(problem: InvalidCondition) -> str:
    """Return what is wrong as a sentence; the place only where no field names it."""
    message = problem.message if problem.field or not problem.path else f"{problem.path}: {problem.message}"
    return f"{message[:1].upper()}{message[1:]}."


def tree_in(text: str) -> dict[str, Any]:
    """
    Return the tree that a text of JSON holds; an empty text holds for everyone.

    :raises ValueError: saying what is wrong, in words for a person.
    """
    if len(text) > LONGEST_TREE:
        raise ValueError("These conditions are too long to be read.")
    try:
        tree = json.loads(text.strip() or "{}")
    except ValueError as error:
        raise ValueError(f"This is not JSON: {error}.") from error
    except RecursionError as error:
        raise ValueError("The conditions are nested too deep.") from error
    if not isinstance(tree, dict):
        raise ValueError('The conditions must be one JSON object, such as {"all": []}.')
    return tree
