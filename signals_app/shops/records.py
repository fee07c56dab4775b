"""What a shop can say, checked, whichever way it said it: by a webhook or in an answer of its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class ShopRefund:
    """Money given back for an order, in the order's currency."""

    refund_id: str
    order_id: str
    amount: Decimal
    currency: str
    """Empty where nothing was paid back, only goods returned."""
    refunded_at: datetime


@dataclass(frozen=True, slots=True)
class ShopFulfilment:
    fulfilment_id: str
    order_id: str
    is_cancelled: bool
    shipped_at: datetime
    changed_at: datetime
    tracking_url: str = ""


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """`identifiers` has what names the shopper: customer ID, e-mail, both or nothing."""

    order_id: str
    name: str
    identifiers: dict[str, str]
    total: Decimal
    currency: str
    placed_at: datetime
    changed_at: datetime
    is_cancelled: bool
    items: list[dict[str, Any]]
    refunds: list[ShopRefund]
    fulfilments: list[ShopFulfilment]
    checkout_id: str = ""
    country: str = ""
    """Where it goes, else who pays, in two letters; empty: not said."""
    has_all_items: bool = True
    """False: `items` are only the first of them."""


@dataclass(frozen=True, slots=True)
class ShopCheckout:
    checkout_id: str
    identifiers: dict[str, str]
    total: Decimal | None
    currency: str
    started_at: datetime
    changed_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShopConsent:
    """`is_granted` None: nothing was said for or against (never asked, or a confirmation is waited for)."""

    identifiers: dict[str, str]
    is_granted: bool | None
    level: str
    said_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShopCustomer:
    customer_id: str
    identifiers: dict[str, str]
    attributes: dict[str, Any]
    """A None takes an attribute away."""
    changed_at: datetime
    consent: ShopConsent | None = None


@dataclass(frozen=True, slots=True)
class TagChange:
    customer_id: str
    tags: list[str]
    is_added: bool
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShopVariant:
    """`price` is asked now; `full_price` was before, if that was more."""

    variant_id: str
    price: Decimal | None
    full_price: Decimal | None
    is_in_stock: bool
    image_url: str = ""


@dataclass(frozen=True, slots=True)
class ShopProduct:
    product_id: str
    title: str
    handle: str
    description: str
    brand: str
    category: str
    image_url: str
    is_listed: bool
    changed_at: datetime
    variants: list[ShopVariant] = field(default_factory=list)
    has_all_variants: bool = True


@dataclass(frozen=True, slots=True)
class PrivacyDemand:
    """Whom a request is about; `order_ids` are those named in it."""

    request_id: str
    identifiers: dict[str, str]
    order_ids: list[str]
