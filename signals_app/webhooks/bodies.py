"""Showing the bytes of a request to a person."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

SHOWN_BYTES = 64 * 1024
AROUND = 2_000
"""Characters shown before and after the place where reading stopped, when it lies beyond what is shown otherwise."""
MAX_MARGIN = 20
"""Levels; thousands of parts that stand hundreds of levels deep would become megabytes of spaces."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


@dataclass(frozen=True)
class Shown:
    text: str
    is_json: bool
    is_cut: bool
    is_text: bool
    """False when some bytes are not UTF-8 and stand as replacement marks."""
    mark: int | None = None
    """Where in `text` reading as JSON stopped; the length of the text if it stopped at the end."""
    problem: str = ""
    """Why it stopped there, and where that is, in words."""


def show(body: bytes) -> Shown:
    """
    Return a body as text, indented when it is JSON; whatever it holds, the result is only text, and all of it visible.

    Indenting moves nothing but the space between the parts: numbers, repeated names and escapes stand as they came. A
    body longer than 64 KiB is cut and shown as it came; of one that is not JSON, the place where reading stopped is
    marked, and the cut is made around it.
    """
    text = body.decode("utf-8-sig", "replace")
    is_cut, is_text = len(body) > SHOWN_BYTES, "\ufffd" not in text
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return _marked(text, error, is_cut=is_cut, is_text=is_text)
    except RecursionError:
        return Shown(_visible(text[:SHOWN_BYTES]), False, is_cut, is_text)
    shown = text[:SHOWN_BYTES] if is_cut else _indented(text)
    return Shown(_visible(shown), not is_cut, is_cut, is_text)


def _marked(text: str, error: json.JSONDecodeError, *, is_cut: bool, is_text: bool) -> Shown:
    start, end = 0, len(text)
    if is_cut:
        start = 0 if error.pos < SHOWN_BYTES else error.pos - AROUND
        end = max(SHOWN_BYTES, error.pos + AROUND) if not start else error.pos + AROUND
    before, after = _visible(text[start : error.pos]), _visible(text[error.pos : end])
    where = f"line {error.lineno:,}, column {error.colno:,}" if error.lineno > 1 else f"character {error.pos + 1:,}"
    problem = "It is empty." if not text.strip() else f"Reading stopped at {where}: {error.msg.removesuffix(' at')}."
    return Shown(before + after, False, is_cut, is_text, mark=len(before), problem=problem)


def _visible(text: str) -> str:
    """Return a text in which what would be invisible, or turn the writing round, stands as its code."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\r\t" else _code(sign) for sign in text)


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def _indented(text: str) -> str:
    """Return the text of a JSON value with a line for each part."""
    lines, line, depth = [], "", 0
    parts = [found[0] for found in _TOKEN.finditer(text)]
    for position, part in enumerate(parts):
        if part in "}]" and (position == 0 or parts[position - 1] not in "{["):
            lines.append(line)
            depth -= 1
            line = _margin(depth) + part
        elif part in "}]":  # nothing inside
            depth -= 1
            line += part
        else:
            line += ": " if part == ":" else part
        is_opened = part in "{[" and parts[position + 1 : position + 2] not in (["}"], ["]"])
        depth += part in "{["
        if is_opened or part == ",":
            lines.append(line)
            line = _margin(depth)
    return "\n".join([*lines, line])


def _margin(depth: int) -> str:
    return "  " * min(depth, MAX_MARGIN)
