"""
Which page of a shop an address shows.

Pure: it knows words that shops use in their paths, not the shop. Addresses come from shoppers' browsers, so they may
hold anything at all; whatever they hold, the answer is a short text without control characters, or nothing.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

KEY_LENGTH = 300
SEARCH_LENGTH = 100
ADDRESS_LENGTH = 4_096
"""What stands after this many characters of an address is not looked at."""

PRODUCT_WORDS = frozenset(
    {"products", "product", "p", "item", "produkt", "produkte", "produit", "produits", "producto"}
)
CATEGORY_WORDS = frozenset(
    {"collections", "collection", "category", "categories", "c", "product-category", "kategorie", "categorie"}
)
CART_WORDS = frozenset({"cart", "basket", "bag", "warenkorb", "panier", "carrito", "carrello", "winkelwagen"})
CHECKOUT_WORDS = frozenset({"checkout", "checkouts", "kasse", "caisse", "kassa"})
SEARCH_WORDS = frozenset({"search", "suche", "recherche", "buscar", "cerca", "zoeken"})
SEARCH_PARAMETERS = ("q", "query", "search", "s")
CART_ACTIONS = frozenset(
    {"cart", "view cart", "open cart", "add to cart", "added to cart", "add to basket", "add to bag"}
)
CHECKOUT_ACTIONS = frozenset({"checkout", "begin checkout", "start checkout", "go to checkout"})

_ORIGIN = re.compile(r"^(?:https?:)?//[^/?#]*", re.IGNORECASE)
_BARE_HOST = re.compile(r"^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?::\d+)?(?=/)", re.IGNORECASE)
_LOCALE = re.compile(
    r"^(?:ar|bg|cs|da|de|el|en|es|et|fi|fr|ga|he|hr|hu|is|it|ja|ko|lt|lv|mt|nb|nl|nn|no|pl|pt|ro|ru|sk|sl|sr|sv|th|tr|uk"
    r"|vi|zh|at|au|be|br|ca|ch|cn|cz|dk|ee|eu|gb|gr|ie|il|in|jp|kr|lu|mx|nz|se|si|ua|us|za)$"
    r"|^[a-z]{2}[-_][a-z]{2}$"
)
_PAGE_SUFFIXES = (".html", ".htm", ".php", ".aspx")
_QUERY_OR_FRAGMENT = re.compile(r"[?#]")
_SEPARATORS = re.compile(r"[\s_\-]+")
_NO_LETTERS = re.compile(r"[\W_]+")


class PageKind(Enum):
    PRODUCT = "product"
    CATEGORY = "category"
    CART = "cart"
    CHECKOUT = "checkout"
    SEARCH = "search"
    CONTENT = "content"
    IGNORED = "ignored"
    OTHER = "other"


class Page(NamedTuple):
    """
    What an address shows.

    `key` is the product's key, the category's handle, the words searched for, or for any other page its path without
    locale, which a shop whose product paths name no product word may have in its catalogue; "" for a mere action.
    Only patterns of a shop (`url_patterns`) say that a page is content, or to be ignored.
    """

    kind: PageKind
    key: str


def url_key(url_or_path: str) -> str | None:
    """
    Return the key of the product that an address shows, such as "/products/wool-scarf", or None.

    Host, locale, collection, query (the variant), fragment, letter case, percent-encoding and a trailing slash make
    no difference. None when the path does not say that it shows a product.
    """
    page = page_kind(url_or_path)
    return page.key if page.kind is PageKind.PRODUCT else None


def catalogue_key(url: str) -> str:
    """Return the key under which the catalogue keeps a product: as `url_key`, else its path without locale."""
    page = page_kind(url)
    return page.key if page.kind is PageKind.PRODUCT else joined(_segments(url) or [])


def page_kind(url_or_path: str) -> Page:
    """Return what an address, a path or the name of an action shows, with its key (see `Page`)."""
    segments = _segments(url_or_path)
    if segments is None:
        return _action(url_or_path)
    product = _after_word(segments, PRODUCT_WORDS)
    if product:
        return Page(PageKind.PRODUCT, joined(product))
    words = set(segments)
    if words & CHECKOUT_WORDS:
        return Page(PageKind.CHECKOUT, joined(segments))
    if words & CART_WORDS:
        return Page(PageKind.CART, joined(segments))
    searched = _searched(url_or_path, on_search_page=bool(words & SEARCH_WORDS) or not segments)
    if searched:
        return Page(PageKind.SEARCH, searched)
    category = _after_word(segments, CATEGORY_WORDS)
    if category:
        return Page(PageKind.CATEGORY, category[-1][:KEY_LENGTH])
    return Page(PageKind.OTHER, joined(segments))


def words_of(handle: str) -> str:
    """Return a handle as a person would write it: "winter-wool" becomes "Winter wool"."""
    words = _SEPARATORS.sub(" ", handle.rsplit("/", 1)[-1]).strip()
    return words[:1].upper() + words[1:]


def handle_of(category: str) -> str:
    """
    Return the handle by which a shop's addresses name a category: of "Apparel > Winter Wool" it is "winter-wool".

    A handle stays what it is, so both can be compared.
    """
    last = unicodedata.normalize("NFKD", category.rsplit(">", 1)[-1]).casefold()
    letters = "".join(one for one in unicodedata.normalize("NFKD", last) if not unicodedata.combining(one))
    return _NO_LETTERS.sub("-", letters)[:KEY_LENGTH].strip("-")


def path_segments(address: str) -> list[str] | None:
    """Return the decoded, lower-case path segments of an address, all of them, or None if the text is none."""
    text = address[:ADDRESS_LENGTH].strip()
    origin = _ORIGIN.match(text) or _BARE_HOST.match(text)
    path = text[origin.end() :] if origin else text
    if not origin and not path.startswith("/"):
        return None
    path = _QUERY_OR_FRAGMENT.split(path, maxsplit=1)[0]
    return [segment for segment in (plain(unquote(part)) for part in path.split("/")) if segment]


def without_locale(segments: list[str]) -> list[str]:
    """Return path segments without the language or country they begin with."""
    begin = 0
    while begin < len(segments) and is_locale(segments[begin]):
        begin += 1
    return segments[begin:]


def _segments(address: str) -> list[str] | None:
    """Return the path segments without locale and file ending, or None if the text is no address or path."""
    segments = path_segments(address)
    if segments:
        segments = without_locale(segments)
    if segments:
        segments[-1] = without_suffix(segments[-1])
    return segments


def plain(text: str) -> str:
    """Return text in one Unicode form and lower case, without what cannot be printed (PostgreSQL refuses some of it)."""
    if text.isascii() and text.isprintable():
        return text.lower().strip()
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    return "".join(character for character in lowered if character.isprintable()).strip()


def is_locale(segment: str) -> bool:
    """Say whether the beginning of a path is a language or country, such as "de" or "en-gb"."""
    return _LOCALE.match(segment) is not None


def without_suffix(segment: str) -> str:
    """Return the last part of a path without .html and the like."""
    for suffix in _PAGE_SUFFIXES:
        if segment.endswith(suffix) and len(segment) > len(suffix):
            return segment[: -len(suffix)]
    return segment


def _after_word(segments: list[str], words: frozenset[str]) -> list[str]:
    """Return the path from the last of `words` that something follows: a collection may itself be called "products"."""
    for position in range(len(segments) - 2, -1, -1):
        if segments[position] in words:
            return segments[position:]
    return []


def joined(segments: list[str]) -> str:
    """Return a path as a key."""
    return ("/" + "/".join(segments))[:KEY_LENGTH].rstrip()


def _searched(address: str, *, on_search_page: bool) -> str:
    _, _, query = address[:ADDRESS_LENGTH].partition("?")
    if not query:
        return ""
    given = dict(parse_qsl(query.partition("#")[0], max_num_fields=None))
    for name in SEARCH_PARAMETERS:
        # "q" means a search wherever it stands; the other names are used for other things too.
        if name in given and (on_search_page or name == "q"):
            return " ".join(plain(given[name]).split())[:SEARCH_LENGTH].rstrip()
    return ""


def _action(name: str) -> Page:
    words = _SEPARATORS.sub(" ", plain(name[:SEARCH_LENGTH])).strip()
    if words in CART_ACTIONS:
        return Page(PageKind.CART, "")
    if words in CHECKOUT_ACTIONS:
        return Page(PageKind.CHECKOUT, "")
    return Page(PageKind.OTHER, "")
