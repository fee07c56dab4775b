"""
What a signal's pages say about the shopper's interests.

A product is known by its path, or because the catalogue has the path; category and brand come from the catalogue's
product, a category also from the path of its own page (under the name that its products have it by, if one is known),
a search from its address. Content is what the shop's patterns say is content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from signals_app.catalog import matching
from signals_app.catalog.matching import Page, PageKind
from signals_app.shopper_signals.constants import InterestKind

PAGES_READ = 200
"""Pages of one signal that are looked at."""
MOST_WEIGHT = 5.0
"""The most that one signal adds to one interest."""
MOST_INTERESTS = 40
"""Interests that one signal adds to, at most: the strongest."""

InterestKey = tuple[str, str]
"""(kind, name)"""


class ProductFacts(Protocol):
    """What interests need of a product of the catalogue."""

    @property
    def category(self) -> str: ...

    @property
    def brand(self) -> str: ...

    @property
    def key(self) -> str: ...


class Catalogue(NamedTuple):
    """What a store's catalogue knows of some pages."""

    products: Mapping[str, ProductFacts] = {}
    """By the key of their pages."""
    categories: Mapping[str, str] = {}
    """{handle: category, as the products of it name it}"""


class PagesRead(NamedTuple):
    """What the pages of one signal show."""

    views: Mapping[str, int]
    """{product key: times}, in the order of first sight."""
    visited_cart: bool
    weights: Mapping[InterestKey, float]

    @property
    def most_views_of_one_product(self) -> int:
        return max(self.views.values(), default=0)


_by_its_words = lru_cache(maxsize=4_096)(matching.page_kind)


def pages_of(events: Sequence[Any], page: Callable[[str], Page] = _by_its_words) -> list[Page]:
    """
    Return what the events [{"name": str}, ...] of a signal show, in their order; what has another shape is left out.

    `page` reads one address or action, as the shop's patterns have it.
    """
    names = (event.get("name") for event in events[:PAGES_READ] if isinstance(event, dict))
    return [page(name) for name in names if isinstance(name, str)]


def product_candidates(pages: Iterable[Page]) -> set[str]:
    """Return the keys among pages that the catalogue may know as a product."""
    return {page.key for page in pages if _may_be_product(page)}


def category_handles(pages: Iterable[Page]) -> set[str]:
    """Return the handles among pages that the catalogue may know as a category."""
    return {matching.handle_of(page.key) for page in pages if page.kind is PageKind.CATEGORY}


def read(pages: Sequence[Page], catalogue: Catalogue) -> PagesRead:
    """Return the products viewed, whether the cart was, and the weight added to each interest."""
    views: dict[str, int] = {}
    weights: dict[InterestKey, float] = {}
    for page in pages:
        known = catalogue.products.get(page.key) if _may_be_product(page) else None
        if page.kind is PageKind.PRODUCT or known:
            key = (known and known.key) or page.key
            views[key] = views.get(key, 0) + 1
            _add(weights, InterestKind.PRODUCT, key)
            if known:
                _add(weights, InterestKind.CATEGORY, known.category)
                _add(weights, InterestKind.BRAND, known.brand)
        elif page.kind is PageKind.CATEGORY:
            named = catalogue.categories.get(matching.handle_of(page.key)) if catalogue.categories else None
            _add(weights, InterestKind.CATEGORY, named or page.key)
        elif page.kind is PageKind.SEARCH:
            _add(weights, InterestKind.SEARCH, page.key)
        elif page.kind is PageKind.CONTENT:
            _add(weights, InterestKind.CONTENT, page.key)
    visited_cart = any(page.kind in (PageKind.CART, PageKind.CHECKOUT) for page in pages)
    if len(weights) > MOST_INTERESTS:
        weights = dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MOST_INTERESTS])
    return PagesRead(views, visited_cart, {key: min(weight, MOST_WEIGHT) for key, weight in weights.items()})


def _may_be_product(page: Page) -> bool:
    return page.kind is PageKind.PRODUCT or (page.kind is PageKind.OTHER and len(page.key) > 1)


def _add(weights: dict[InterestKey, float], kind: InterestKind, name: str) -> None:
    if name:
        key = (kind.value, name)
        weights[key] = weights.get(key, 0.0) + 1.0
