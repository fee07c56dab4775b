"""What Shopify's GraphQL API says of orders, customers and products (`queries`), as the same records as its webhooks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from signals_app.shops.exceptions import NothingToDo, UnusableData
from signals_app.shops.payload import GRANTED_STATES, LEVELS, MAX_ITEMS, tags_of
from signals_app.shops.records import (
    ShopConsent,
    ShopCustomer,
    ShopFulfilment,
    ShopOrder,
    ShopProduct,
    ShopRefund,
    ShopVariant,
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
)


def order(node: Json) -> ShopOrder:
    if node.get("test") is True:
        raise NothingToDo("A test order.")
    order_id = id_of(node.get("id"), "id")
    total, currency = _money(node.get("totalPriceSet"), "totalPriceSet")
    who, lines = part(node.get("customer")), part(node.get("lineItems"))
    email = node.get("email") or part(who.get("defaultEmailAddress")).get("emailAddress")
    return ShopOrder(
        order_id=order_id,
        name=text_of(node.get("name"), longest=100),
        identifiers=named(optional_id(who.get("id"), "customer.id"), email),
        total=total,
        currency=currency,
        placed_at=moment_of(node.get("processedAt") or node.get("createdAt"), "createdAt"),
        changed_at=moment_of(node.get("updatedAt"), "updatedAt"),
        is_cancelled=optional_moment(node.get("cancelledAt"), "cancelledAt") is not None,
        items=[_item(line) for line in parts(lines.get("nodes"))[:MAX_ITEMS]],
        has_all_items=part(lines.get("pageInfo")).get("hasNextPage") is not True,
        refunds=[_refund(each, order_id) for each in parts(node.get("refunds"))],
        fulfilments=[_fulfilment(each, order_id) for each in parts(node.get("fulfillments"))],
        checkout_id=optional_id(node.get("checkoutToken"), "checkoutToken"),
        country=country_of(
            part(node.get("shippingAddress")).get("countryCodeV2"),
            part(node.get("billingAddress")).get("countryCodeV2"),
        ),
    )


def customer(node: Json) -> ShopCustomer:
    customer_id = id_of(node.get("id"), "id")
    mail = part(node.get("defaultEmailAddress"))
    identifiers = named(customer_id, mail.get("emailAddress"))
    state = str(mail.get("marketingState") or "").lower()
    consent = ShopConsent(
        identifiers=identifiers,
        is_granted=GRANTED_STATES.get(state),
        level=LEVELS.get(str(mail.get("marketingOptInLevel") or "").lower(), ""),
        said_at=optional_moment(mail.get("marketingUpdatedAt"), "marketingUpdatedAt"),
    )
    return ShopCustomer(
        customer_id=customer_id,
        identifiers=identifiers,
        attributes={
            "first_name": text_of(node.get("firstName"), longest=100) or None,
            "last_name": text_of(node.get("lastName"), longest=100) or None,
            "locale": text_of(node.get("locale"), longest=20) or None,
            "country": text_of(part(node.get("defaultAddress")).get("countryCodeV2"), longest=2) or None,
            "tags": tags_of(node.get("tags")) or None,
        },
        changed_at=moment_of(node.get("updatedAt"), "updatedAt"),
        consent=consent,
    )


def product(node: Json) -> ShopProduct:
    title, handle = text_of(node.get("title"), longest=300), text_of(node.get("handle"), longest=255)
    for name, value in (("title", title), ("handle", handle)):
        if not value:
            raise UnusableData(name, "Missing.")
    variants = part(node.get("variants"))
    is_published = "publishedAt" not in node or node.get("publishedAt") is not None
    return ShopProduct(
        product_id=id_of(node.get("id"), "id"),
        title=title,
        handle=handle,
        description="",
        brand=text_of(node.get("vendor"), longest=150),
        category=text_of(node.get("productType"), longest=300),
        image_url=_image(node.get("featuredMedia")),
        is_listed=node.get("status", "ACTIVE") == "ACTIVE" and is_published,
        changed_at=moment_of(node.get("updatedAt"), "updatedAt"),
        variants=[_variant(each) for each in parts(variants.get("nodes"))],
        has_all_variants=part(variants.get("pageInfo")).get("hasNextPage") is not True,
    )


def _money(value: Any, field: str) -> tuple[Decimal, str]:
    said = part(part(value).get("shopMoney"))
    return amount_of(said.get("amount"), field), currency_of(said.get("currencyCode"), field)


def _item(line: Json) -> dict[str, Any]:
    price = part(part(line.get("originalUnitPriceSet")).get("shopMoney")).get("amount")
    return line_item(
        sku=optional_id(part(line.get("variant")).get("id"), "variant.id") or text_of(line.get("sku"), longest=100),
        title=line.get("title"),
        quantity=line.get("quantity"),
        price=optional_amount(price, "originalUnitPriceSet"),
    )


def _refund(node: Json, order_id: str) -> ShopRefund:
    amount, currency = _money(node.get("totalRefundedSet"), "refunds.totalRefundedSet")
    return ShopRefund(
        refund_id=id_of(node.get("id"), "refunds.id"),
        order_id=order_id,
        amount=amount,
        currency=currency,
        refunded_at=moment_of(node.get("createdAt"), "refunds.createdAt"),
    )


def _fulfilment(node: Json, order_id: str) -> ShopFulfilment:
    created_at = moment_of(node.get("createdAt"), "fulfillments.createdAt")
    tracked = parts(node.get("trackingInfo"))
    return ShopFulfilment(
        fulfilment_id=id_of(node.get("id"), "fulfillments.id"),
        order_id=order_id,
        is_cancelled=node.get("status") in ("CANCELLED", "ERROR", "FAILURE"),
        shipped_at=created_at,
        changed_at=optional_moment(node.get("updatedAt"), "fulfillments.updatedAt") or created_at,
        tracking_url=web_address(tracked[0].get("url") if tracked else "", longest=500),
    )


def _variant(node: Json) -> ShopVariant:
    price = optional_amount(node.get("price"), "variants.price")
    before = optional_amount(node.get("compareAtPrice"), "variants.compareAtPrice")
    media = parts(part(node.get("media")).get("nodes"))
    return ShopVariant(
        variant_id=id_of(node.get("id"), "variants.id"),
        price=price,
        full_price=full_price(before, price),
        is_in_stock=node.get("availableForSale") is not False,
        image_url=_image(media[0]) if media else "",
    )


def _image(media: Any) -> str:
    return web_address(part(part(part(media).get("preview")).get("image")).get("url"))
