"""JSON exactly as JavaScript's JSON.stringify prints it, since receivers may sign what they re-print."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal


def stringify(value: object) -> str:
    """
    Print a value as JSON.stringify does: no spaces, non-ASCII as it is, numbers as JavaScript writes them.

    Source: ECMA-262, "SerializeJSONProperty" and "Number::toString".

    :raises TypeError: for a value that JSON does not know.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_string(str(key))}:{stringify(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(stringify(item) for item in value) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}")


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    # Half of a surrogate pair cannot be encoded as UTF-8; JavaScript escapes it.
    return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in quoted)


def _number(value: float) -> str:
    """Print a number the way JavaScript does: 1.0 is 1, and only below 1e-6 or from 1e21 on is there an exponent."""
    number = float(value)
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - only the infinite and NaN, gone by now, have a letter there
    text = "".join(map(str, digits))
    point = len(text) + exponent  # where the decimal point stands, counted from the first digit
    return ("-" if sign else "") + _place_point(text, point)


def _place_point(digits: str, point: int) -> str:
    if 0 < point <= 21:
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
        return f"{whole}.{fraction}" if fraction else whole
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
