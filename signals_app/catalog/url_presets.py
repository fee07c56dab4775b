"""Patterns that fit the addresses of common shop systems as they come; a shop may have changed them."""

from __future__ import annotations

from typing import NamedTuple

from signals_app.catalog.constants import UrlKind
from signals_app.catalog.url_patterns import UrlRule

PRODUCT, CATEGORY, CART, CHECKOUT = UrlKind.PRODUCT, UrlKind.CATEGORY, UrlKind.CART, UrlKind.CHECKOUT
CONTENT, IGNORED = UrlKind.CONTENT, UrlKind.IGNORED


class Preset(NamedTuple):
    label: str
    rules: tuple[UrlRule, ...]


PRESETS = {
    "shopify": Preset(
        "Shopify",
        (
            UrlRule(PRODUCT, "/collections/*/products/{handle}"),
            UrlRule(PRODUCT, "/products/{handle}"),
            UrlRule(CATEGORY, "/collections/{handle}"),
            UrlRule(CATEGORY, "/collections/{handle}/*"),
            UrlRule(CART, "/cart/**"),
            UrlRule(CHECKOUT, "/checkouts/**"),
            UrlRule(CHECKOUT, "/checkout/**"),
            UrlRule(CONTENT, "/blogs/**"),
            UrlRule(CONTENT, "/pages/*"),
            UrlRule(IGNORED, "/account/**"),
            UrlRule(IGNORED, "/policies/**"),
        ),
    ),
    "woocommerce": Preset(
        "WooCommerce",
        (
            UrlRule(PRODUCT, "/product/{slug}"),
            UrlRule(PRODUCT, "/?product={slug}"),
            UrlRule(CATEGORY, "/product-category/**/{slug}"),
            UrlRule(CATEGORY, "/product-tag/{slug}"),
            UrlRule(CART, "/cart/**"),
            UrlRule(CHECKOUT, "/checkout/**"),
            UrlRule(CONTENT, "/blog/**"),
            UrlRule(IGNORED, "/my-account/**"),
            UrlRule(IGNORED, "/wp-*/**"),
        ),
    ),
    "shopware": Preset(
        "Shopware",
        (
            UrlRule(PRODUCT, "/detail/{id}"),
            UrlRule(PRODUCT, "/**/sw{number}"),
            UrlRule(CATEGORY, "/navigation/{id}"),
            UrlRule(CART, "/checkout/cart"),
            UrlRule(CART, "/checkout/offcanvas"),
            UrlRule(CHECKOUT, "/checkout/*"),
            UrlRule(CONTENT, "/blog/**"),
            UrlRule(IGNORED, "/account/**"),
            UrlRule(IGNORED, "/widgets/**"),
        ),
    ),
}
