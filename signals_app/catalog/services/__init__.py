"""What other rooms may ask of the catalogue: feeds, products by their pages, patterns of addresses, coupons."""

from signals_app.catalog.services.coupons import add_coupons, claim_coupon
from signals_app.catalog.services.feeds import FeedReport, import_due_feed, import_feed, request_import
from signals_app.catalog.services.page_aliases import ignore_pages, say_page_shows, unmatched_among
from signals_app.catalog.services.product_rows import put_product_group, remove_product_group
from signals_app.catalog.services.products import (
    ProductFacts,
    alternatives,
    categories_by_handle,
    facts_by_key,
    follow_feed_again,
    keep_by_hand,
    newest_in,
    products_by_key,
)
from signals_app.catalog.services.url_patterns import page_reader, patterns_of, rekey_products, save_patterns

__all__ = [
    "FeedReport",
    "ProductFacts",
    "add_coupons",
    "alternatives",
    "categories_by_handle",
    "claim_coupon",
    "facts_by_key",
    "follow_feed_again",
    "ignore_pages",
    "import_due_feed",
    "import_feed",
    "keep_by_hand",
    "newest_in",
    "page_reader",
    "patterns_of",
    "products_by_key",
    "put_product_group",
    "rekey_products",
    "remove_product_group",
    "request_import",
    "save_patterns",
    "say_page_shows",
    "unmatched_among",
]
