"""
Whether a text names a person, where nothing ties it to one: a request that waits, is unreadable or was refused, and
what members of the team typed.

An address is looked for anywhere. Other identifiers count where the connection says that the identity stands, and
elsewhere only when they are long enough to mean nothing else: a customer number of "7" stands in every body.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import unquote

from signals_app.customers.constants import ERASED_PERSON, IdentifierKind
from signals_app.customers.joining import Key

SHORTEST = 6
"""Characters that an identifier must have to be looked for anywhere in a body."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class Mentions:
    """Looks for the identifiers of one person."""

    def __init__(self, keys: Collection[Key]) -> None:
        self.keys = frozenset(keys)
        wanted = sorted({key.value.casefold() for key in keys if _is_telling(key)}, key=len, reverse=True)
        self.pattern = re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, wanted))})(?![\w-])") if wanted else None

    def names(self, identifiers: Mapping[str, str]) -> bool:
        """Say whether identifiers, as the connection's mapping found them, are the person's."""
        return any(Key(kind, value) in self.keys for kind, value in identifiers.items())

    def found_in(self, text: str) -> bool:
        """Say whether a text, such as a body or an address, names the person, also where it is escaped."""
        if self.pattern is None:
            return False
        plain = text.casefold()
        if self.pattern.search(plain):
            return True
        read = unquote(_ESCAPED.sub(_character, plain.replace("\\/", "/")), errors="replace").casefold()
        return read != plain and self.pattern.search(read) is not None

    def taken_out_of(self, text: str) -> str:
        """Return a text with `ERASED_PERSON` where it names the person; in place of it all where that is escaped."""
        if self.pattern is None or not self.found_in(text):
            return text
        without = re.sub(self.pattern.pattern, ERASED_PERSON, text, flags=re.IGNORECASE)
        return ERASED_PERSON if self.found_in(without) else without


def _is_telling(key: Key) -> bool:
    return key.kind == IdentifierKind.EMAIL or len(key.value) >= SHORTEST


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 16))
