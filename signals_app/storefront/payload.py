"""
The body of a call from a shop's page, read strictly: whoever writes it is told what is wrong with it.

{"anonymous_id", "session_id", "external_id", "external_id_proof", "email", "proof", "click"}, all of them optional. The
content type does not matter: a page sends `text/plain`, since anything else costs a request of its own beforehand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from signals_app.customers.constants import KINDS_BY_STRENGTH, IdentifierKind
from signals_app.customers.exceptions import InvalidInput
from signals_app.customers.identifiers import normalise
from signals_app.storefront.exceptions import InvalidCall

PROOFS = ("proof", "external_id_proof")
FIELDS = (*KINDS_BY_STRENGTH, *PROOFS, "click")
MAX_TEXT = 512


@dataclass(frozen=True, slots=True)
class BrowserCall:
    """What a page says; identifiers are normalised, what it does not say is an empty text."""

    anonymous_id: str = ""
    session_id: str = ""
    external_id: str = ""
    email: str = ""
    said_email: str = ""
    """The address letter by letter as the page said it."""
    proof: str = ""
    external_id_proof: str = ""
    click: str = ""

    @property
    def visitor(self) -> dict[str, str]:
        """The identifiers of the browser and the visit, which name nobody."""
        named = {IdentifierKind.ANONYMOUS_ID: self.anonymous_id, IdentifierKind.SESSION_ID: self.session_id}
        return {str(kind): value for kind, value in named.items() if value}


def read_call(body: bytes) -> BrowserCall:
    """
    Return what a body says.

    :raises InvalidCall: naming the field that cannot be used, if it is one.
    """
    try:
        said = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidCall("not_json", "The body is not JSON.") from None
    if not isinstance(said, dict):
        raise InvalidCall("not_json", 'The body is not a JSON object such as {"email": "…"}.')
    if unknown := next((name for name in said if name not in FIELDS), None):
        raise InvalidCall("invalid", f"There is no such field; use some of: {', '.join(FIELDS)}.", _shown(unknown))
    given = {name: value for name, value in said.items() if value is not None and value != ""}
    if not given:
        raise InvalidCall("invalid", f"Say something: {', '.join(FIELDS)}.")
    texts = {name: _text(given[name], name) for name in (*PROOFS, "click") if name in given}
    for kind in KINDS_BY_STRENGTH:
        if kind in given:
            try:
                texts[kind] = normalise(kind, given[kind])
            except InvalidInput as error:
                raise InvalidCall("invalid", error.message, kind) from error
    if any(name in given for name in PROOFS) and not ({"email", "external_id"} & given.keys()):
        raise InvalidCall("invalid", "Say beside a proof what it proves: email or external_id.", "proof")
    return BrowserCall(**texts, said_email=str(given.get("email", "")))


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidCall("invalid", "Enter text.", field)
    if len(value) > MAX_TEXT:
        raise InvalidCall("invalid", f"Longer than {MAX_TEXT} characters.", field)
    return value


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name[:100])


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
