"""Making any JSON value safe to keep: what comes out can be stored in both databases and printed as JSON again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 32
MAX_KEYS = 1_000
"""Keys of objects in one body; the elements of its lists are counted against a limit of the same size."""
MAX_STRING = 4_096
MAX_ISSUES = 50
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL keeps neither NUL nor lone surrogates, and no JSON printer may print the latter."""


@dataclass(slots=True)
class Issues:
    """What was wrong with a body, in the order found; the count is bounded, since the body is not ours."""

    found: list[dict[str, str]] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, where: str, problem: str) -> None:
        where = _UNSTORABLE.sub("\ufffd", where)[:200]
        if len(self.found) < MAX_ISSUES and (where, problem) not in self._seen:
            self._seen.add((where, problem))
            self.found.append({"field": where, "problem": problem})


class Members(dict[str, Any]):
    """An object as it was read, with the names that stood in it more than once."""

    repeated: tuple[str, ...] = ()

    @classmethod
    def of_pairs(cls, pairs: list[tuple[str, Any]]) -> Members:
        members = cls(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            members.repeated = tuple(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return members


def is_clean(text: str, limit: int = MAX_STRING) -> bool:
    """Say of a text, as quickly as most texts allow, that nothing in it has to go; False may be a mistake."""
    return text.isascii() and len(text) <= limit and "\x00" not in text


def clean_string(text: str, where: str, issues: Issues, limit: int = MAX_STRING) -> str:
    """Return `text` without characters that cannot be stored, cut to `limit` characters."""
    if is_clean(text, limit):
        return text
    cleaned, replaced = _UNSTORABLE.subn("\ufffd", text)
    if replaced:
        issues.add(where, "characters that cannot be stored were replaced")
    if len(cleaned) > limit:
        issues.add(where, f"cut to {limit} characters")
        cleaned = cleaned[:limit]
    return cleaned


def clean_int(number: int, where: str, issues: Issues) -> int:
    if INT_MIN <= number <= INT_MAX:
        return number
    issues.add(where, "larger than 64 bits, clamped")
    return INT_MIN if number < 0 else INT_MAX


@dataclass(slots=True)
class Cleaner:
    """Cleans the values of one body, which share one allowance of keys and elements."""

    issues: Issues
    keys_left: int = MAX_KEYS
    elements_left: int = MAX_KEYS

    def clean(self, value: Any, where: str, depth: int = 1) -> Any:
        """
        Return a copy of `value`, read from JSON, that is safe to keep; whatever had to go is named in the issues.

        Numbers stay numbers, except that NaN and the infinities become null and integers are clamped to 64 bits.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return clean_string(value, where, self.issues)
        if isinstance(value, int):
            return clean_int(value, where, self.issues)
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            self.issues.add(where, "not a finite number")
            return None
        if depth >= MAX_DEPTH:
            self.issues.add(where, f"nested deeper than {MAX_DEPTH} levels, left out")
            return None
        return self._members(value, where, depth) if isinstance(value, dict) else self._elements(value, where, depth)

    def _members(self, members: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
        self.note_repeated(members, where)
        cleaned: dict[str, Any] = {}
        for name, value in members.items():
            if not self.keys_left:
                self.issues.add(where, f"more than {MAX_KEYS} keys, the others were left out")
                break
            self.keys_left -= 1
            key = clean_string(name, where, self.issues)
            cleaned[key] = self.clean(value, f"{where}.{key}" if where else key, depth + 1)
        return cleaned

    def _elements(self, elements: list[Any], where: str, depth: int) -> list[Any]:
        cleaned = []
        for index, value in enumerate(elements):
            if not self.elements_left:
                self.issues.add(where, f"more than {MAX_KEYS} elements, the others were left out")
                break
            self.elements_left -= 1
            cleaned.append(self.clean(value, f"{where}[{index}]", depth + 1))
        return cleaned

    def note_repeated(self, members: dict[str, Any], where: str) -> None:
        for name in getattr(members, "repeated", ()):
            self.issues.add(f"{where}.{name}" if where else name, "stands more than once, the last one counts")
