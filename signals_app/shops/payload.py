"""
What Shopify's webhooks say, topic by topic.

Shapes: https://shopify.dev/docs/api/webhooks (`payload` is the decoded body). Since version 2025-01 a customer's body has
neither tags nor consent, which come under topics of their own; of older versions they are still read. Whatever a record
cannot do without raises `UnusableData` with the name of the field; everything else is left out when it cannot be used.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from signals_app.shops.exceptions import NothingToDo, UnusableData
from signals_app.shops.records import (
    PrivacyDemand,
    ShopCheckout,
    ShopConsent,
    ShopCustomer,
    ShopFulfilment,
    ShopOrder,
    ShopProduct,
    ShopRefund,
    ShopVariant,
    TagChange,
)
from signals_app.shops.values import (
    Json,
    amount_of,
    country_of,
    currency_of,
    full_price,
    id_of,
    line_item,
    moment_of,
    named,
    optional_amount,
    optional_id,
    optional_moment,
    part,
    parts,
    text_of,
    web_address,
    whole,
)

MAX_ITEMS = 250
MAX_TAGS = 100
MAX_VARIANTS = 2_048
GRANTED_STATES = {"subscribed": True, "unsubscribed": False, "redacted": False, "invalid": False}
"""What a consent's state says; of the others (`not_subscribed`, `pending`) nothing was said."""
LEVELS = {
    "single_opt_in": "single opt-in",
    "confirmed_opt_in": "confirmed opt-in",
}


def decode(body: bytes) -> dict[str, Any]:
    """
    Return the body of a webhook: one JSON object. Numbers with a point are decimals, so that no money is rounded.

    :raises UnusableData: if it is something else.
    """
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_int=_int_of_any_length)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise UnusableData("", f"The body is not JSON: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise UnusableData("", "The body is JSON, but not an object.")
    return found


def _int_of_any_length(digits: str) -> int:
    """Return the number, or, for one that Python refuses to read for its length, another that is too large as well."""
    return int(digits[:400])


def order(payload: Json) -> ShopOrder:
    """Read an order of `orders/*`."""
    if payload.get("test") is True:
        raise NothingToDo("A test order.")
    order_id = id_of(payload.get("id"), "id")
    currency = currency_of(payload.get("currency"), "currency")
    placed_at = moment_of(payload.get("processed_at") or payload.get("created_at"), "created_at")
    return ShopOrder(
        order_id=order_id,
        name=text_of(payload.get("name"), longest=100),
        identifiers=_shopper(payload),
        total=amount_of(payload.get("total_price"), "total_price"),
        currency=currency,
        placed_at=placed_at,
        changed_at=moment_of(payload.get("updated_at"), "updated_at"),
        is_cancelled=optional_moment(payload.get("cancelled_at"), "cancelled_at") is not None,
        items=[_item(line) for line in parts(payload.get("line_items"))[:MAX_ITEMS]],
        refunds=[refund(each) for each in parts(payload.get("refunds"))],
        fulfilments=[fulfilment(each) for each in parts(payload.get("fulfillments"))],
        checkout_id=_checkout_id(payload.get("checkout_token"), payload.get("checkout_id")),
        country=country_of(
            part(payload.get("shipping_address")).get("country_code"),
            part(payload.get("billing_address")).get("country_code"),
        ),
    )


def refund(payload: Json) -> ShopRefund:
    """Read `refunds/create`: what was paid back is the sum of its successful transactions."""
    paid, currency = Decimal(0), ""
    for transaction in parts(payload.get("transactions")):
        if transaction.get("kind") != "refund" or transaction.get("status") != "success":
            continue
        # In a shop that sells in many currencies, `amount_set` also says it in the shop's own.
        money = part(part(transaction.get("amount_set")).get("shop_money"))
        paid += amount_of(money.get("amount", transaction.get("amount")), "transactions.amount")
        said = currency_of(money.get("currency_code", transaction.get("currency")), "transactions.currency")
        if currency not in ("", said):
            raise UnusableData("transactions.currency", f"One refund in both {currency} and {said}.")
        currency = said
    return ShopRefund(
        refund_id=id_of(payload.get("id"), "id"),
        order_id=id_of(payload.get("order_id"), "order_id"),
        amount=paid,
        currency=currency,
        refunded_at=moment_of(payload.get("processed_at") or payload.get("created_at"), "created_at"),
    )


def fulfilment(payload: Json) -> ShopFulfilment:
    """Read `fulfillments/*`; a shipment counts from its creation, unless it was cancelled or failed."""
    created_at = moment_of(payload.get("created_at"), "created_at")
    urls = payload.get("tracking_urls")
    url = payload.get("tracking_url") or (urls[0] if isinstance(urls, list) and urls else "")
    return ShopFulfilment(
        fulfilment_id=id_of(payload.get("id"), "id"),
        order_id=id_of(payload.get("order_id"), "order_id"),
        is_cancelled=payload.get("status") in ("cancelled", "error", "failure"),
        shipped_at=created_at,
        changed_at=optional_moment(payload.get("updated_at"), "updated_at") or created_at,
        tracking_url=web_address(url, longest=500),
    )


def shipped_to(payload: Json) -> dict[str, str]:
    """Return what names the shopper of a shipment, as far as it says."""
    return named("", payload.get("email"))


def checkout(payload: Json) -> ShopCheckout:
    """Read `checkouts/*`."""
    currency = payload.get("currency") or payload.get("presentment_currency")
    total = optional_amount(payload.get("total_price"), "total_price")
    started_at = moment_of(payload.get("created_at"), "created_at")
    return ShopCheckout(
        checkout_id=_checkout_id(payload.get("token"), payload.get("id")) or id_of(None, "id"),
        identifiers=_shopper(payload),
        total=total,
        currency=currency_of(currency, "currency") if currency or total else "",
        started_at=started_at,
        changed_at=optional_moment(payload.get("updated_at"), "updated_at") or started_at,
        completed_at=optional_moment(payload.get("completed_at"), "completed_at"),
    )


def customer(payload: Json) -> ShopCustomer:
    """Read `customers/create` and `customers/update`."""
    customer_id = id_of(payload.get("id"), "id")
    identifiers = named(customer_id, payload.get("email"))
    address = part(payload.get("default_address"))
    attributes: dict[str, Any] = {
        "first_name": text_of(payload.get("first_name"), longest=100) or None,
        "last_name": text_of(payload.get("last_name"), longest=100) or None,
    }
    if "default_address" in payload:
        attributes["country"] = text_of(address.get("country_code"), longest=2) or None
    if "locale" in payload:
        attributes["locale"] = text_of(payload.get("locale"), longest=20) or None
    if "tags" in payload:
        attributes["tags"] = tags_of(payload.get("tags")) or None
    said = payload.get("email_marketing_consent")
    return ShopCustomer(
        customer_id=customer_id,
        identifiers=identifiers,
        attributes=attributes,
        changed_at=moment_of(payload.get("updated_at") or payload.get("created_at"), "updated_at"),
        consent=_consent(part(said), identifiers) if said else None,
    )


def consent(payload: Json) -> ShopConsent:
    """Read `customers_email_marketing_consent/update`."""
    identifiers = named(
        optional_id(payload.get("customer_id"), "customer_id"), payload.get("email_address") or payload.get("email")
    )
    said = payload.get("email_marketing_consent")
    return _consent(part(said) if said else payload, identifiers)


def tag_change(payload: Json, *, is_added: bool) -> TagChange:
    """Read `customer.tags_added` and `customer.tags_removed`."""
    customer_id = id_of(payload.get("customerId", payload.get("customer_id")), "customerId")
    at = optional_moment(payload.get("occurredAt", payload.get("occurred_at")), "occurredAt")
    return TagChange(customer_id=customer_id, tags=tags_of(payload.get("tags")), is_added=is_added, changed_at=at)


def product(payload: Json) -> ShopProduct:
    """Read `products/create` and `products/update`."""
    product_id = id_of(payload.get("id"), "id")
    title, handle = text_of(payload.get("title"), longest=300), text_of(payload.get("handle"), longest=255)
    for name, value in (("title", title), ("handle", handle)):
        if not value:
            raise UnusableData(name, "Missing.")
    images = {str(each.get("id")): web_address(each.get("src")) for each in parts(payload.get("images"))}
    first = web_address(part(payload.get("image")).get("src")) or next(iter(images.values()), "")
    is_published = "published_at" not in payload or payload.get("published_at") is not None
    return ShopProduct(
        product_id=product_id,
        title=title,
        handle=handle,
        description="",
        brand=text_of(payload.get("vendor"), longest=150),
        category=text_of(payload.get("product_type"), longest=300),
        image_url=first,
        is_listed=payload.get("status", "active") == "active" and is_published,
        changed_at=moment_of(payload.get("updated_at") or payload.get("created_at"), "updated_at"),
        variants=[_variant(each, images) for each in parts(payload.get("variants"))[:MAX_VARIANTS]],
    )


def deleted_id(payload: Json) -> str:
    """Read `products/delete`, which names only the number."""
    return id_of(payload.get("id"), "id")


def privacy_demand(payload: Json) -> PrivacyDemand:
    """Read `customers/data_request` and `customers/redact`."""
    who = part(payload.get("customer"))
    asked = payload.get("orders_requested") or payload.get("orders_to_redact") or []
    identifiers = named(optional_id(who.get("id"), "customer.id"), who.get("email"))
    if not identifiers:
        raise UnusableData("customer", "Neither a number nor an e-mail address is given.")
    return PrivacyDemand(
        request_id=optional_id(part(payload.get("data_request")).get("id"), "data_request.id"),
        identifiers=identifiers,
        order_ids=[id_of(each, "orders") for each in asked] if isinstance(asked, list) else [],
    )


def tags_of(value: Any) -> list[str]:
    """Return tags, sorted: Shopify sends a text with commas, or a list."""
    found = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return sorted({tag for each in found if (tag := text_of(each, longest=255))})[:MAX_TAGS]


def _shopper(payload: Json) -> dict[str, str]:
    """Return what names the shopper of an order or checkout: of a guest only the e-mail address."""
    who = part(payload.get("customer"))
    email = payload.get("email") or payload.get("contact_email") or who.get("email")
    return named(optional_id(who.get("id"), "customer.id"), email)


def _checkout_id(token: Any, number: Any) -> str:
    return optional_id(token, "token") or optional_id(number, "id")


def _item(line: Json) -> dict[str, Any]:
    return line_item(
        sku=optional_id(line.get("variant_id"), "line_items.variant_id") or text_of(line.get("sku"), longest=100),
        title=line.get("title") or line.get("name"),
        quantity=line.get("quantity"),
        price=optional_amount(line.get("price"), "line_items.price"),
    )


def _variant(variant: Json, images: dict[str, str]) -> ShopVariant:
    price = optional_amount(variant.get("price"), "variants.price")
    before = optional_amount(variant.get("compare_at_price"), "variants.compare_at_price")
    is_counted = bool(variant.get("inventory_management"))
    return ShopVariant(
        variant_id=id_of(variant.get("id"), "variants.id"),
        price=price,
        full_price=full_price(before, price),
        is_in_stock=not is_counted
        or variant.get("inventory_policy") == "continue"
        or whole(variant.get("inventory_quantity")) > 0,
        image_url=images.get(str(variant.get("image_id")), ""),
    )


def _consent(said: Json, identifiers: dict[str, str]) -> ShopConsent:
    if not identifiers:
        raise UnusableData("customer_id", "Nobody is named.")
    state = str(said.get("state") or "").lower()
    if not state:
        raise UnusableData("email_marketing_consent.state", "Missing.")
    said_at: datetime | None = optional_moment(said.get("consent_updated_at"), "consent_updated_at")
    return ShopConsent(
        identifiers=identifiers,
        is_granted=GRANTED_STATES.get(state),
        level=LEVELS.get(str(said.get("opt_in_level") or "").lower(), ""),
        said_at=said_at,
    )
