"""Showing the bytes of a request to a person."""

from __future__ import annotations

import json
from dataclasses import dataclass

SHOWN_BYTES = 64 * 1024


@dataclass(frozen=True)
class Shown:
    text: str
    is_json: bool
    is_cut: bool
    is_text: bool
    """False when some bytes are not UTF-8 and stand as replacement marks."""


def show(body: bytes) -> Shown:
    """
    Return a body as text, indented when it is JSON; whatever it holds, the result is only text.

    A body longer than 64 KiB is cut and shown as it came.
    """
    is_cut = len(body) > SHOWN_BYTES
    text = body[:SHOWN_BYTES].decode("utf-8", "replace")
    is_text = "\ufffd" not in text
    if not is_cut:
        try:
            return Shown(json.dumps(json.loads(body), indent=2, ensure_ascii=False), True, False, is_text)
        except (ValueError, RecursionError):
            return Shown(text, False, False, is_text)
    return Shown(text, False, True, is_text)
