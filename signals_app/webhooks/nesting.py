"""How deep a JSON text is nested, told without reading it: the parser recurses, and how far it may is not ours to say."""

from __future__ import annotations

import re

MAX_READABLE_DEPTH = 200
"""A body nested deeper than this is not read at all."""

_BRACKETS_OUTSIDE_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def is_too_deep(body: bytes) -> bool:
    """Tell whether a JSON text is nested deeper than is read."""
    return body.count(b"[") + body.count(b"{") > MAX_READABLE_DEPTH and _depth(body) > MAX_READABLE_DEPTH


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for token in _BRACKETS_OUTSIDE_STRINGS.finditer(body):
        if token[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in b"]}":
            depth -= 1
    return deepest
