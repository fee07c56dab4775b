"""JSON exactly as JavaScript's JSON.stringify prints it, since receivers may sign what they re-print."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NoReturn

from signals_app.webhooks import nesting

MAX_ARRAY_INDEX = 2**32 - 2
_ARRAY_INDEX = re.compile("0|[1-9][0-9]{0,9}", re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def stringify(value: object) -> str:
    """
    Print a value as JSON.stringify does: no spaces, non-ASCII as it is, numbers as JavaScript writes them.

    Names that are array indices ("0" to "4294967294") come first, in their order: so JavaScript keeps its objects.

    Source: ECMA-262, "SerializeJSONProperty", "Number::toString" and "OrdinaryOwnPropertyKeys".

    :raises TypeError: for a value that JSON does not know.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{_string(str(key))}:{stringify(item)}" for key, item in _in_order(value)]) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join([stringify(item) for item in value]) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}")


def reprint(body: bytes) -> bytes | None:
    """
    Return what JSON.stringify(JSON.parse(body)) prints, as UTF-8; None if JavaScript would refuse the body.

    Of repeated names the last value counts, at the place of the first; every number is a double, so that what lies
    beyond 2^53 is rounded and what lies beyond all doubles is null. A body with bytes that are not UTF-8, or nested
    deeper than we read, is refused although JavaScript would take it.
    """
    if nesting.is_too_deep(body):
        return None
    try:
        value = json.loads(body.decode("utf-8"), parse_int=float, parse_constant=_refuse)
        return stringify(value).encode("utf-8")
    except (ValueError, RecursionError):  # a decoding error is a ValueError
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def _in_order(members: Mapping[Any, object]) -> Iterable[tuple[Any, object]]:
    indices = [key for key in members if _is_array_index(str(key))]
    if not indices:
        return members.items()
    named = [item for item in members.items() if not _is_array_index(str(item[0]))]
    return [*((key, members[key]) for key in sorted(indices, key=int)), *named]


def _is_array_index(name: str) -> bool:
    return bool(_ARRAY_INDEX.fullmatch(name)) and int(name) <= MAX_ARRAY_INDEX


def _string(text: str) -> str:
    quoted = encode_basestring(text)
    # Half of a surrogate pair cannot be encoded as UTF-8; JavaScript escapes it.
    return quoted if quoted.isascii() else _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", quoted)


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
