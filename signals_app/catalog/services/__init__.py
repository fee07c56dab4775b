"""What other rooms may ask of the catalogue: feeds, products by their pages, patterns of addresses, coupons."""

from signals_app.catalog.services.coupons import add_coupons, claim_coupon
from signals_app.catalog.services.feeds import FeedReport, import_due_feeds, import_feed, request_import
from signals_app.catalog.services.products import (
    ProductFacts,
    alternatives,
    facts_by_key,
    newest_in,
    products_by_key,
    save_product,
)
from signals_app.catalog.services.url_patterns import page_reader, patterns_of, rekey_products, save_patterns

__all__ = [
    "FeedReport",
    "ProductFacts",
    "add_coupons",
    "alternatives",
    "claim_coupon",
    "facts_by_key",
    "import_due_feeds",
    "import_feed",
    "newest_in",
    "page_reader",
    "patterns_of",
    "products_by_key",
    "rekey_products",
    "request_import",
    "save_patterns",
    "save_product",
]
