"""Taking a person out of a tree who is named in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signals_app.customers.constants import ERASED_PERSON
from signals_app.customers.mentions import Mentions
from signals_app.segments.fields import Field, FieldType

_TYPED_FREELY = (FieldType.TEXT, FieldType.LIST)


def without_person(tree: Any, wanted: Mentions, catalogue: Mapping[str, Field]) -> tuple[Any, frozenset[str]]:
    """
    Return the tree with `ERASED_PERSON`, which no value is, where it named the person, and the values it replaced.

    Any stored tree will do, also one that can no longer be parsed.
    """
    taken: set[str] = set()

    def names(field: str, value: Any) -> bool:
        return isinstance(value, str) and (wanted.names({field: value}) or wanted.found_in(value))

    def cleaned(node: Any) -> Any:
        if isinstance(node, list):
            return [cleaned(child) for child in node]
        if not isinstance(node, dict):
            return node
        if "field" not in node:
            return {key: cleaned(content) for key, content in node.items()}
        field = catalogue.get(str(node["field"]))
        value = node.get("value")
        values: list[Any] = value if isinstance(value, list) else [value]
        found = {one for one in values if names(str(node["field"]), one)}
        if not found or (field is not None and field.type not in _TYPED_FREELY):
            return node
        taken.update(found)
        kept = list(dict.fromkeys(ERASED_PERSON if one in found else one for one in values))
        return node | {"value": kept if isinstance(value, list) else ERASED_PERSON}

    return cleaned(tree), frozenset(taken)
