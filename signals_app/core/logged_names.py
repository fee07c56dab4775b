"""What logs of the admin call a row, so that they name no shopper."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from signals_app.core.deeds import Deed, DeedKind

NO_NAME = "–"
_KINDS = {
    "erase": DeedKind.ERASED,
    "export": DeedKind.EXPORTED,
    "download": DeedKind.EXPORTED,
    "merge": DeedKind.MERGED,
    "delete": DeedKind.DELETED,
}


def nameless(row: Model) -> str:
    """Return a name that says what a row is and not who: "Profile …a1b2c3"."""
    kind = str(row._meta.verbose_name)
    return f"{kind[:1].upper()}{kind[1:]} …{str(row.pk)[-6:]}"


def nameless_message(message: Any) -> Any:
    """Return Django's list of what was changed without the names of the rows in it."""
    if not isinstance(message, list):
        return ""
    return [
        {
            verb: said | {"object": NO_NAME} if isinstance(said, dict) and "object" in said else said
            for verb, said in part.items()
        }
        for part in message
        if isinstance(part, dict)
    ]


def changed_fields(message: Any) -> str:
    """Return the labels of the fields that Django's list says were changed, and the kinds of rows beside them."""
    said: list[str] = []
    for part in message if isinstance(message, list) else ():
        for what in part.values():
            if isinstance(what, dict):
                said += [str(what["name"])] if "name" in what else list(map(str, what.get("fields", ())))
    return ", ".join(dict.fromkeys(said))[:300]


def deed_about(kind: DeedKind, row: Model, *, name: str = "", detail: str = "") -> Deed:
    """Return a deed about a row, by its id."""
    return Deed(kind, row._meta.label_lower, str(row.pk), name, detail)


def kind_of_button(name: str) -> DeedKind:
    """Return what kind of deed a button or page is, by its name in the code."""
    return next((kind for part, kind in _KINDS.items() if part in name), DeedKind.DID)
