"""One spelling for each identifier, so that the same person is found again."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from signals_app.customers.constants import ERASED_PERSON, KINDS_BY_STRENGTH, MAX_IDENTIFIER_LENGTH, IdentifierKind
from signals_app.customers.exceptions import InvalidIdentifier

PLACEHOLDERS = frozenset(
    {"null", "undefined", "none", "nan", "anonymous", "unknown", "[object object]", "0", "-1"}
    | {"00000000-0000-0000-0000-000000000000", ERASED_PERSON}
)
"""What a shop's script sends when it knows no ID; taken as one, they would make all its shoppers one person."""
LARGEST_NUMBER = 2**63 - 1
"""What a larger number became where numbers have 64 bits, so it may stand for any of them and is nobody's ID."""
UNREADABLE = "\ufffd"
"""What stands for any character that could not be read."""


def normalise(kind: str, value: Any) -> str:
    """
    Return the one spelling of an identifier: stripped, in Unicode NFC, an e-mail address in lower case.

    `value` is text or a whole number of less than 64 bits. Doing it twice changes nothing.

    :raises InvalidIdentifier: if the kind is unknown, or the value is empty, too long, a placeholder such as
        "undefined", holds control characters or some that could not be read, or is not an e-mail address although its
        kind says so.
    """
    if kind not in KINDS_BY_STRENGTH:
        raise InvalidIdentifier(kind, f"Unknown kind of ID; use one of: {', '.join(KINDS_BY_STRENGTH)}.")
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= LARGEST_NUMBER:
            raise InvalidIdentifier(kind, "Too large for a number: send it as text.")
        value = str(value)
    if not isinstance(value, str):
        raise InvalidIdentifier(kind, "Enter text.")
    if len(value) > 4 * MAX_IDENTIFIER_LENGTH:  # before any work on it is done
        raise InvalidIdentifier(kind, f"Longer than {MAX_IDENTIFIER_LENGTH} characters.")
    return _one_spelling(kind, value)


@lru_cache(maxsize=8_192)
def _one_spelling(kind: str, value: str) -> str:
    """Do the work of `normalise`; remembered, since a shopper's identifiers come with each of their signals."""
    stripped = value.strip()
    # What is printable has none of them, and is nearly everything.
    if not stripped.isprintable() and any(unicodedata.category(character) in {"Cc", "Cs"} for character in stripped):
        raise InvalidIdentifier(kind, "Holds control characters.")
    if UNREADABLE in stripped:
        raise InvalidIdentifier(kind, "Holds characters that could not be read.")
    text = unicodedata.normalize("NFC", stripped)
    if kind == IdentifierKind.EMAIL:
        text = unicodedata.normalize("NFC", text.lower())
    _check(kind, text)
    return text


def normalise_all(identifiers: dict[str, Any]) -> dict[str, str]:
    """
    Return the identifiers that were given (not None, not empty), each normalised, strongest first.

    :raises InvalidIdentifier: if one of them cannot be used.
    """
    unknown = set(identifiers) - set(KINDS_BY_STRENGTH)
    if unknown:
        normalise(sorted(unknown)[0], "")
    return {
        kind: normalise(kind, identifiers[kind])
        for kind in KINDS_BY_STRENGTH
        if identifiers.get(kind) is not None and identifiers[kind] != ""
    }


def _check(kind: str, text: str) -> None:
    if not text:
        raise InvalidIdentifier(kind, "Must not be empty.")
    if len(text) > MAX_IDENTIFIER_LENGTH:
        raise InvalidIdentifier(kind, f"Longer than {MAX_IDENTIFIER_LENGTH} characters.")
    if text.lower() in PLACEHOLDERS:
        raise InvalidIdentifier(kind, f"“{text}” is a placeholder, not an ID.")
    if kind == IdentifierKind.EMAIL:
        try:
            validate_email(text)
        except ValidationError:
            raise InvalidIdentifier(kind, "Enter a valid e-mail address.") from None
