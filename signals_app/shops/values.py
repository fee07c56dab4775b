"""Single values of what a shop says, each checked for what it claims to be before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from signals_app.core.clock import EARLIEST_YEAR, LATEST_YEAR
from signals_app.core.countries import COUNTRIES
from signals_app.core.currencies import ISO_4217
from signals_app.shops.exceptions import UnusableData

MAX_ID = 100
LARGEST_AMOUNT = Decimal("999999999999.99")
CENT = Decimal("0.01")

Json = Mapping[str, Any]


def id_of(value: Any, field: str) -> str:
    """
    Return an object's number as text: 820982911946154508, "820982911946154508", "gid://shopify/Order/820982911946154508".

    :raises UnusableData: if there is none, or it is no number or name of at most 100 characters.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise UnusableData(field, "The number is missing.")
    text = str(value)
    if text.startswith("gid://"):
        text = text.split("?", 1)[0].rsplit("/", 1)[-1]
    if len(text) > MAX_ID:
        raise UnusableData(field, f"Longer than {MAX_ID} characters.")
    if not text or not text.isprintable():
        raise UnusableData(field, "This is not a number of the shop.")
    return text


def optional_id(value: Any, field: str) -> str:
    return "" if value is None or value == "" else id_of(value, field)


def amount_of(value: Any, field: str) -> Decimal:
    """
    Return an amount of money, rounded to hundredths.

    :raises UnusableData: if it is missing, no finite number, negative or larger than any shop sells for.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise UnusableData(field, "The amount is missing.")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value)
        if not amount.is_finite():
            raise InvalidOperation
        if amount < 0:
            raise UnusableData(field, "Must not be negative.")
        if amount > LARGEST_AMOUNT:
            raise UnusableData(field, "Larger than any amount that can be kept.")
        return amount.quantize(CENT, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise UnusableData(field, f"“{str(value)[:40]}” is not an amount.") from None


def optional_amount(value: Any, field: str) -> Decimal | None:
    return None if value is None or value == "" else amount_of(value, field)


def currency_of(value: Any, field: str) -> str:
    """Return a currency's code; :raises UnusableData: if there is no such currency."""
    if not isinstance(value, str) or not value:
        raise UnusableData(field, "The currency is missing.")
    if value not in ISO_4217:
        raise UnusableData(field, f"“{value[:10]}” is not a currency that is known.")
    return value


def moment_of(value: Any, field: str) -> datetime:
    """Return a moment in UTC; :raises UnusableData: if there is none, or it does not say its offset."""
    if not isinstance(value, str) or not value:
        raise UnusableData(field, "The time is missing.")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnusableData(field, f"“{value[:40]}” is not a moment with its time zone.") from None


def optional_moment(value: Any, field: str) -> datetime | None:
    return None if value is None or value == "" else moment_of(value, field)


def text_of(value: Any, *, longest: int) -> str:
    """Return a text cut to what can be kept, without what cannot be printed; empty for anything that is no text."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    one_line = value[: longest * 2].replace("\n", " ")
    return "".join(sign for sign in one_line if sign.isprintable()).strip()[:longest].strip()


def web_address(value: Any, *, longest: int = 2_000) -> str:
    """Return an http(s) address, or nothing if it is none."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable() or " " in value:
        return ""
    text = f"https:{value}" if value.startswith("//") else value
    try:
        parts = urlsplit(text)
        return text if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def country_of(*values: Any) -> str:
    """Return the first that is a country's code of two letters, or nothing."""
    return next((code for value in values if (code := text_of(value, longest=3).upper()) in COUNTRIES), "")


def part(value: Any) -> Json:
    """Return an object inside another, empty if there is none."""
    return value if isinstance(value, dict) else {}


def parts(value: Any) -> list[Json]:
    """Return the objects of a list, without what is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def whole(value: Any, *, default: int = 0) -> int:
    """Return a whole number in range, else the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9 else default


def named(customer_id: str, email: Any) -> dict[str, str]:
    """Return what names a shopper, as identifiers; whether an address is one is checked where it is kept."""
    said = {"external_id": customer_id, "email": email if isinstance(email, str) else ""}
    return {kind: value for kind, value in said.items() if value}


def full_price(before: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Return what was asked before, if that was more than the price of now."""
    return before if before is not None and price is not None and before > price else None


def line_item(*, sku: str, title: Any, quantity: Any, price: Decimal | None) -> dict[str, Any]:
    """Return one line of an order, without what is not known of it."""
    item = {
        "sku": sku,
        "title": text_of(title, longest=300),
        "quantity": whole(quantity, default=1),
        "price": "" if price is None else str(price),
    }
    return {name: value for name, value in item.items() if value != ""}
