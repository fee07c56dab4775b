"""What a cell of a CSV file may hold: spreadsheets run what looks like a formula."""

from __future__ import annotations

_STARTS_FORMULA = frozenset("=+-@|%\t\r\n＝＋－＠")


def neutralise(value: str) -> str:
    """
    Return the text so that a spreadsheet shows it and never computes it: what would start a formula gets an apostrophe.

    Spaces before the sign do not hide it, since some programs drop them when they read the file.
    """
    start = value.lstrip(" \u00a0\ufeff")[:1]
    return f"'{value}" if start and start in _STARTS_FORMULA else value
