"""
What one item of a product feed says, checked cell by cell.

Attributes and their values: https://support.google.com/merchants/answer/7052112. Without an ID, a title or a web address
an item is no use and left out; any other cell that cannot be used is left empty, and both are reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from signals_app.catalog import matching
from signals_app.catalog.constants import Availability
from signals_app.core.numbers import with_point

LARGEST_PRICE = Decimal("9999999999.99")
CENT = Decimal("0.01")
MAX_LENGTHS = {"id": 100, "item_group_id": 100, "title": 300, "brand": 150, "category": 300, "description": 10_000}
MAX_ADDRESS = 2_000

_PRICE = re.compile(r"^(?P<before>[A-Z]{3}|[€£$])?\s*(?P<amount>\d[\d.,' ]*)\s*(?P<after>[A-Z]{3}|[€£$])?$")
_SYMBOLS = {"€": "EUR", "£": "GBP"}
_AVAILABILITY = {
    "instock": Availability.IN_STOCK,
    "available": Availability.IN_STOCK,
    "outofstock": Availability.OUT_OF_STOCK,
    "soldout": Availability.OUT_OF_STOCK,
    "preorder": Availability.PREORDER,
    "backorder": Availability.BACKORDER,
    "availablefororder": Availability.BACKORDER,
}


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One product as the feed describes it."""

    sku: str
    group_sku: str
    title: str
    description: str
    url: str
    url_key: str
    image_url: str
    price: Decimal | None
    sale_price: Decimal | None
    currency: str
    availability: str
    brand: str
    category: str


@dataclass(slots=True)
class Problems:
    """What was wrong with one item: {attribute: what}."""

    found: dict[str, str] = field(default_factory=dict)

    def note(self, attribute: str, what: str) -> None:
        self.found.setdefault(attribute, what)


def read_item(
    cells: Mapping[str, str],
    *,
    currency: str,
    now: datetime,
    key_of: Callable[[str], str] = matching.catalogue_key,
) -> tuple[FeedItem | None, dict[str, str]]:
    """
    Return an item and what was wrong with it by attribute; no item if what it cannot do without is missing.

    `key_of` returns the key of a product's address, as the shop's patterns have it. `currency` is meant where a price
    names none. A sale price outside of its dates at `now` is left out.
    """
    problems = Problems()
    sku, title = _text(cells, "id"), _text(cells, "title")
    url = _address(cells, "link", problems)
    for attribute, value in (("id", sku), ("title", title), ("link", url)):
        if not value:
            problems.note(attribute, "Missing.")
    price, price_currency = _price(cells, "price", currency, problems)
    sale_price, _ = _price(cells, "sale_price", price_currency, problems)
    if sale_price is not None and (price is None or sale_price > price or not _is_on_sale(cells, problems, now)):
        sale_price = None
    item = FeedItem(
        sku=sku,
        group_sku=_text(cells, "item_group_id"),
        title=title,
        description=_text(cells, "description"),
        url=url,
        url_key=key_of(url),
        image_url=_address(cells, "image_link", problems),
        price=price,
        sale_price=sale_price,
        currency=price_currency if price is not None else "",
        availability=_availability(cells, problems),
        brand=_text(cells, "brand"),
        category=_text(cells, "product_type", "category") or _text(cells, "google_product_category", "category"),
    )
    return (item if sku and title and url else None), problems.found


def read_price(text: str, *, currency: str) -> tuple[Decimal, str]:
    """
    Return amount and currency of "19.90 EUR", "EUR 19.90", "1.299,00 €" or "19.90" (then `currency` is meant).

    :raises ValueError: saying what is wrong.
    """
    found = _PRICE.match(text.strip())
    if not found:
        raise ValueError("Not a price such as “19.90 EUR”.")
    named = found["before"] or found["after"] or ""
    amount = _amount(re.sub(r"[' ]", "", found["amount"]))
    if amount > LARGEST_PRICE:
        raise ValueError("The price is too large.")
    return amount, _SYMBOLS.get(named, named if len(named) == 3 else currency)


def _amount(digits: str) -> Decimal:
    """Read a number in either notation; points that stand several times part thousands."""
    said = with_point(digits)
    try:
        return Decimal(said.replace(".", "") if said.count(".") > 1 else said).quantize(CENT)
    except InvalidOperation:
        raise ValueError("The price is too large or no number.") from None


def _price(cells: Mapping[str, str], attribute: str, currency: str, problems: Problems) -> tuple[Decimal | None, str]:
    text = _plain(cells.get(attribute, ""))
    if not text:
        return None, currency
    try:
        return read_price(text, currency=currency)
    except ValueError as error:
        problems.note(attribute, str(error))
        return None, currency


def _is_on_sale(cells: Mapping[str, str], problems: Problems, now: datetime) -> bool:
    """Say whether `now` lies in sale_price_effective_date, "2026-11-20T00:00+01:00/2026-11-27T23:59+01:00"."""
    text = _plain(cells.get("sale_price_effective_date", ""))
    if not text:
        return True
    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in text.split("/"))
        return start <= now <= end
    except (ValueError, TypeError):
        problems.note("sale_price_effective_date", "Not two times with time zones and a slash between.")
        return False


def _availability(cells: Mapping[str, str], problems: Problems) -> str:
    text = _plain(cells.get("availability", ""))
    if not text:
        return Availability.IN_STOCK
    known = _AVAILABILITY.get(re.sub(r"[\s_\-]", "", text.lower().rsplit("/", 1)[-1]))
    if known is None:
        problems.note("availability", "Not one of: in_stock, out_of_stock, preorder, backorder.")
        return Availability.OUT_OF_STOCK
    return known


def _text(cells: Mapping[str, str], attribute: str, length_of: str = "") -> str:
    return _plain(cells.get(attribute, ""))[: MAX_LENGTHS[length_of or attribute]].strip()


def _plain(text: str) -> str:
    """Return text on one line without what cannot be printed, which PostgreSQL refuses in part."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _address(cells: Mapping[str, str], attribute: str, problems: Problems) -> str:
    text = cells.get(attribute, "").strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or not text.isprintable() or " " in text or len(text) > MAX_ADDRESS:
        problems.note(attribute, "Not a web address (http or https).")
        return ""
    return text
