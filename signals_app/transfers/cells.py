"""What a cell of a table says, and how a text stands in one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from signals_app.core.clock import EARLIEST_YEAR
from signals_app.core.numbers import with_point
from signals_app.transfers.exceptions import RowRefused

_YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "1",
        "ja",
        "j",
        "oui",
        "o",
        "si",
        "sí",
        "s",
        "granted",
        "agreed",
        "allowed",
        "opt-in",
        "optin",
        "opted-in",
        "subscribed",
        "on",
    ]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "0",
        "nein",
        "non",
        "denied",
        "refused",
        "opt-out",
        "optout",
        "opted-out",
        "unsubscribed",
        "withdrawn",
        "off",
        "revoked",
    ]
)
_GERMAN_DATE = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
_PLAIN_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")

_FORMULA = re.compile(r"^'*[=+\-@\t\r\n＝＋－＠]")
_NEUTRALISED = re.compile(r"^'+[=+\-@\t\r\n＝＋－＠]")


def neutralised(text: str) -> str:
    """
    Return the text so that no spreadsheet takes it for a formula: with an apostrophe in front where it might.

    That is the advice of OWASP, "CSV injection": a cell that begins with = + - @, a tab or a line end.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def as_written(text: str) -> str:
    """Return what a cell said before `neutralised`, so that a list that was exported can be imported."""
    return text[1:] if text.startswith("'") and _NEUTRALISED.match(text) else text


def cell(value: Any, *, neutralises: bool) -> str:
    """Return a value as it stands in an exported table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, int | float | Decimal):
        return str(value)
    text = str(value).replace("\0", "")
    return neutralised(text) if neutralises else text


def yes_or_no(text: str, column: str) -> bool:
    """Read a yes or a no; :raises RowRefused: if it is neither."""
    said = text.strip().lower()
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise RowRefused(column, "Neither yes nor no; write “yes” or “no”.")


def moment(text: str, column: str, *, zone: tzinfo, now: datetime) -> datetime:
    """
    Read a time in UTC: 2026-11-02, 2026-11-02 14:30, 2026-11-02T14:30:00+01:00 or 02.11.2026; on `zone`'s clock if bare.

    :raises RowRefused: if it is none of these, or lies in the future or before 1990.
    """
    found = _moment(text, zone)
    if found is None:
        raise RowRefused(column, "Not a date such as 2026-11-02 or a time such as 2026-11-02T14:30:00+01:00.")
    if found.year < EARLIEST_YEAR:
        raise RowRefused(column, f"Lies before {EARLIEST_YEAR}.")
    if found > now:
        raise RowRefused(column, "Lies in the future.")
    return found


@lru_cache(maxsize=4_096)
def _moment(text: str, zone: tzinfo) -> datetime | None:
    german = _GERMAN_DATE.match(text)
    try:
        if german:
            day, month, year, hour, minute, second = (int(part or 0) for part in german.groups())
            found = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        elif len(text) < 10 or not text[:4].isdigit() or text[4] != "-":
            return None
        else:
            found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def amount(text: str, column: str) -> Decimal:
    """
    Read an amount of money with two decimals: 1299.9, 1,299.90 or 1.299,90; what stands last is the decimal mark.

    :raises RowRefused: if it is none, negative, more exact than two decimals, or too large.
    """
    digits = with_point(re.sub(r"['\s\u00a0\u202f]", "", text))
    if not _PLAIN_NUMBER.match(digits):
        raise RowRefused(column, "Not an amount such as 59.90; leave the currency to its own column.")
    try:
        found = Decimal(digits)
    except InvalidOperation:
        raise RowRefused(column, "Not an amount such as 59.90.") from None
    if found < 0:
        raise RowRefused(column, "Must not be negative.")
    if found >= 10**12:
        raise RowRefused(column, "Too large.")
    cents = found.quantize(Decimal("0.01"))
    if cents != found:
        raise RowRefused(column, "Has more than two decimals.")
    return cents


def text_of(text: str, column: str, *, max_length: int) -> str:
    """Read a text; :raises RowRefused: if it is too long."""
    if len(text) > max_length:
        raise RowRefused(column, f"Longer than {max_length:,} characters.")
    return text
