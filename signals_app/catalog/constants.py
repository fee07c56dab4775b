from django.db.models import TextChoices


class FeedFormat(TextChoices):
    AUTO = "AUTO", "Recognise"
    CSV = "CSV", "CSV or tab-separated"
    XML = "XML", "XML (RSS or Atom)"


class FeedState(TextChoices):
    WAITING = "WAITING", "Waiting"
    IMPORTED = "IMPORTED", "Imported"
    FAILED = "FAILED", "Failed"


class UrlKind(TextChoices):
    """What a shop's pattern says that an address shows; the values are those of `matching.PageKind`."""

    PRODUCT = "product", "Product"
    CATEGORY = "category", "Category"
    CART = "cart", "Cart"
    CHECKOUT = "checkout", "Checkout"
    CONTENT = "content", "Content"
    IGNORED = "ignored", "Ignored"


class Availability(TextChoices):
    """The values of the feed's `availability`, as Google Merchant names them."""

    IN_STOCK = "in_stock", "In stock"
    OUT_OF_STOCK = "out_of_stock", "Out of stock"
    PREORDER = "preorder", "Pre-order"
    BACKORDER = "backorder", "Back-order"


MAX_FEED_BYTES = 200 * 1024 * 1024
"""The largest feed that is read, unpacked."""
