"""What a mail says to one shopper: the variables of its template, looked up at the moment of sending."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.catalog.models import Product
from signals_app.core.links import safe_shop_url
from signals_app.customers import services as customer_services
from signals_app.customers.constants import Topic
from signals_app.customers.models import Customer, Order
from signals_app.emails.models import EmailMessage, EmailTemplate, SenderIdentity
from signals_app.emails.money import money_text
from signals_app.emails.rendering import Rendered, render
from signals_app.emails.services.suppression import unsubscribe_url
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.services.interest_rows import InterestNow

MAX_PRODUCTS = 6
ALTERNATIVES = 2
NEW_ARRIVALS = 4
INTERESTS = 5
_MAX_NAME = 100


@dataclass(frozen=True)
class Occasion:
    """Who a mail is for and what it is about; `message` and `customer` are None in previews of nobody."""

    project: Project
    template: EmailTemplate
    customer: Customer | None
    to_email: str
    context: dict[str, Any]
    message: EmailMessage | None
    coupon_code: str
    now: datetime


def placeholder_sender(project: Project) -> SenderIdentity:
    """Return the sender that previews show while none is set up."""
    return SenderIdentity(
        project=project,
        from_name=project.name,
        from_email=settings.DEFAULT_FROM_EMAIL,
        postal_address="Your postal address",
        is_placeholder=True,
    )


def render_for(
    occasion: Occasion, *, sender: SenderIdentity, rewrite_link: Callable[[str], str] | None = None
) -> Rendered:
    """
    Return the mail of an occasion; `rewrite_link`, if given, changes the address of each link.

    :raises TemplateError: if the template cannot be filled in.
    """
    template = occasion.template
    return render(
        subject=template.subject,
        preheader=template.preheader,
        html=template.compiled_html,
        variables=variables_of(occasion, sender=sender),
        rewrite_link=rewrite_link,
    )


def claim_coupon(*, message: EmailMessage, now: datetime) -> str:
    """Return the coupon code of a mail, the same each time it is asked for; empty without a pool or a free code."""
    pool = message.template.coupon_pool
    if not pool:
        return ""
    key = message.send_key
    claim_key = key if len(key) <= 120 else hashlib.sha256(key.encode()).hexdigest()
    coupon = catalog_services.claim_coupon(project=message.project, pool=pool, claim_key=claim_key, now=now)
    return coupon.code if coupon else ""


def variables_of(occasion: Occasion, *, sender: SenderIdentity) -> dict[str, Any]:
    """Return the variables that `rendering.VARIABLES` names; what the template does not use is not looked up."""
    project, template = occasion.project, occasion.template
    source = f"{template.subject}{template.preheader}{template.compiled_html}"
    order = _order_of(occasion) if "order" in source or occasion.context.get("order_id") else None
    keys = _product_keys(occasion)
    known = catalog_services.products_by_key(project=project, keys=keys)
    wanted = [key for key in keys if not _is_ordered(known.get(key), order)][:MAX_PRODUCTS]
    interests = _interests(occasion) if "interest" in source or "new_arrivals" in source else []
    return {
        "shop": {"name": project.name, "url": _link(project.shop_url, project)},
        "customer": _person(occasion),
        "products": [_of_product(known[key], project) if key in known else _of_key(key, project) for key in wanted],
        "alternatives": _alternatives(occasion, known, keys) if "alternatives" in source else [],
        "new_arrivals": _new_arrivals(occasion, interests) if "new_arrivals" in source else [],
        "interests": [label for _, _, label in interests],
        "top_interest": next((label for _, _, label in interests), ""),
        "coupon_code": occasion.coupon_code,
        "order": _order_variables(order),
        "unsubscribe_url": unsubscribe_url(occasion.message),
        "sender": {
            "name": sender.from_name,
            "postal_address": sender.postal_address,
            "reply_to": sender.reply_to or sender.from_email,
        },
    }


def _product_keys(occasion: Occasion) -> list[str]:
    """
    Return the pages of the products that a mail is about, the most important first.

    A mail about an order comes without any: it shows what the shopper likes most and, see above, has not bought.
    """
    keys = occasion.context.get("product_keys") or []
    if not keys and occasion.context.get("order_id") and occasion.customer is not None:
        liked = _top_interests(occasion, occasion.customer)
        keys = [item.name for item in liked if item.kind == InterestKind.PRODUCT]
    return [str(key) for key in keys][:20]


def _person(occasion: Occasion) -> dict[str, str]:
    customer = occasion.customer
    name = " ".join(customer.name.split())[:_MAX_NAME] if customer else ""
    said = customer.attributes.get("first_name") if customer and isinstance(customer.attributes, dict) else ""
    first_name = said if isinstance(said, str) and said.strip() else name.partition(" ")[0]
    return {"name": name, "first_name": " ".join(first_name.split())[:_MAX_NAME], "email": occasion.to_email}


def _link(url_or_path: str, project: Project) -> str:
    """Return a link into the shop; what leads elsewhere becomes the shop's home page."""
    link = safe_shop_url(url_or_path, shop_url=project.shop_url, domains=project.shop_domains)
    return link or safe_shop_url("/", shop_url=project.shop_url, domains=()) or ""


def _of_product(product: Product, project: Project) -> dict[str, Any]:
    is_reduced = product.sale_price is not None and (product.price is None or product.sale_price < product.price)
    currency = product.currency or project.currency
    image = product.image_url if product.image_url.lower().startswith(("https://", "http://")) else ""
    return {
        "title": product.title,
        "url": _link(product.url, project),
        "image_url": image,
        "price": "" if product.price is None else float(product.price),
        "sale_price": float(product.sale_price) if is_reduced and product.sale_price is not None else "",
        "currency": currency,
        "price_text": money_text(product.price, currency),
        "sale_price_text": money_text(product.sale_price, currency) if is_reduced else "",
        "brand": product.brand,
    }


def _of_key(key: str, project: Project) -> dict[str, Any]:
    """Return what can be said about a product that no feed lists: "/products/wool-scarf" is a wool scarf."""
    title = matching.words_of(unquote(key.rstrip("/").rpartition("/")[2]))[:_MAX_NAME]
    return {
        "title": f"{title[:1].upper()}{title[1:]}" if title else project.name,
        "url": _link(key, project),
        "image_url": "",
        "price": "",
        "sale_price": "",
        "currency": project.currency,
        "price_text": "",
        "sale_price_text": "",
        "brand": "",
    }


def _alternatives(occasion: Occasion, known: dict[str, Product], keys: Sequence[str]) -> list[dict[str, Any]]:
    found = catalog_services.alternatives(
        project=occasion.project, products=list(known.values()), limit=ALTERNATIVES, exclude_keys=list(keys)
    )
    return [_of_product(product, occasion.project) for product in found]


def _interests(occasion: Occasion) -> list[tuple[str, str, str]]:
    """Return (kind, name, label) of what the shopper likes most, best first; products are named elsewhere."""
    if occasion.customer is None:
        return []
    found = _top_interests(occasion, occasion.customer)
    named = [(str(item.kind), item.name, item.label) for item in found if item.kind != InterestKind.PRODUCT]
    return named[:INTERESTS]


def _top_interests(occasion: Occasion, customer: Customer) -> list[InterestNow]:
    """Return what the shopper likes most; nothing where their behaviour may not be used, so that the mail is general."""
    if not customer_services.has_consent(customer=customer, topic=Topic.PERSONALISATION).granted:
        return []
    return signal_services.top_interests(customer=customer, now=occasion.now, limit=INTERESTS * 4)


def _new_arrivals(occasion: Occasion, interests: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    for kind, name, _ in interests:
        if kind == InterestKind.CATEGORY:
            found = catalog_services.newest_in(project=occasion.project, category=name, limit=NEW_ARRIVALS)
            if found:
                return [_of_product(product, occasion.project) for product in found]
    return []


def _order_of(occasion: Occasion) -> Order | None:
    order_id = occasion.context.get("order_id")
    return Order.objects.filter(project=occasion.project, order_id=str(order_id)).first() if order_id else None


def _items(order: Order | None) -> list[dict[str, Any]]:
    items = order.items if order is not None and isinstance(order.items, list) else []
    return [item for item in items if isinstance(item, dict)]


def _is_ordered(product: Product | None, order: Order | None) -> bool:
    if product is None:
        return False
    return any(
        item.get("sku") in (product.sku, product.group_sku or product.sku) or item.get("title") == product.title
        for item in _items(order)
    )


def _order_variables(order: Order | None) -> dict[str, Any]:
    if order is None:
        return {"order_id": "", "total_text": "", "items": []}
    return {
        "order_id": order.order_id,
        "total_text": money_text(order.total, order.currency),
        "items": [
            {"title": str(item.get("title") or item.get("sku") or ""), "quantity": _quantity(item)}
            for item in _items(order)[:20]
        ],
    }


def _quantity(item: dict[str, Any]) -> int:
    quantity = item.get("quantity", 1)
    return quantity if isinstance(quantity, int) and 0 < quantity < 10_000 else 1
