from django.db.models import TextChoices

API_VERSION = "2026-10"
"""The newest stable version of Shopify's API; each is served for a year: https://shopify.dev/docs/api/usage/versioning."""

PRIVACY_DAYS = 30
"""Within these a request of a customer has to be answered: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance."""


class ObjectKind(TextChoices):
    """What of a shop has a state of its own that changes."""

    ORDER = "order", "Order"
    FULFILMENT = "fulfilment", "Shipment"
    CUSTOMER = "customer", "Customer"
    TAG = "tag", "Customer tag"
    PRODUCT = "product", "Product"


class SyncKind(TextChoices):
    BACKFILL = "BACKFILL", "Backfill"
    RECONCILIATION = "RECONCILIATION", "Nightly comparison"
    ERASURE = "ERASURE", "Erasure of the shop's customers"


class SyncState(TextChoices):
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    STOPPED = "STOPPED", "Stopped"
    FAILED = "FAILED", "Failed"


class Resource(TextChoices):
    """What the API lists, in the order in which a backfill reads it: an order finds its customer and products there."""

    CUSTOMERS = "customers", "Customers"
    PRODUCTS = "products", "Products"
    ORDERS = "orders", "Orders"


class PrivacyKind(TextChoices):
    """What Shopify passes on from a customer or a shop; the three topics that every app must take."""

    DATA_REQUEST = "DATA_REQUEST", "A customer asks for their data"
    CUSTOMER_ERASURE = "CUSTOMER_ERASURE", "A customer asks to be erased"
    SHOP_ERASURE = "SHOP_ERASURE", "The shop has removed the app: erase its customers"


TOPICS: dict[str, str] = {
    "orders/create": "Order placed",
    "orders/updated": "Order changed",
    "orders/paid": "Order paid",
    "orders/cancelled": "Order cancelled",
    "refunds/create": "Refund",
    "checkouts/create": "Checkout begun",
    "checkouts/update": "Checkout changed",
    "fulfillments/create": "Shipment",
    "fulfillments/update": "Shipment changed",
    "customers/create": "Customer created",
    "customers/update": "Customer changed",
    "customer.tags_added": "Customer tagged",
    "customer.tags_removed": "Customer tag removed",
    "customers_email_marketing_consent/update": "E-mail consent",
    "products/create": "Product created",
    "products/update": "Product changed",
    "products/delete": "Product deleted",
    "customers/data_request": "Request for data",
    "customers/redact": "Request for erasure",
    "shop/redact": "Erasure of the shop",
    "app/uninstalled": "App removed",
}
"""Topics that mean something to us, with their labels; others are counted and kept."""

PRIVACY_TOPICS = ("customers/data_request", "customers/redact", "shop/redact")
"""Entered in the app's settings at Shopify, not by its API."""

SUBSCRIBED_TOPICS = tuple(topic for topic in TOPICS if topic not in PRIVACY_TOPICS)
