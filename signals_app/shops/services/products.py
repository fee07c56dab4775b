"""Products of a shop, put into the catalogue."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, urlsplit

from django.db import transaction

from signals_app.catalog import services as catalog_services
from signals_app.catalog.constants import Availability
from signals_app.catalog.feed_items import FeedItem
from signals_app.shops.constants import ObjectKind
from signals_app.shops.models import ShopConnection
from signals_app.shops.records import ShopProduct, ShopVariant
from signals_app.shops.services.newest import is_newest
from signals_app.shops.services.orders import OLDER, Put


@transaction.atomic
def put_product(*, shop: ShopConnection, said: ShopProduct, now: datetime) -> Put:
    """Make a product's variants in the catalogue what the shop says; one that is not listed leaves it."""
    if not is_newest(shop=shop, kind=ObjectKind.PRODUCT, object_id=said.product_id, changed_at=said.changed_at):
        return Put(reason=OLDER)
    if not said.is_listed:
        gone = catalog_services.remove_product_group(project=shop.project, group_sku=said.product_id, now=now)
        return Put(is_changed=gone > 0)
    variants = said.variants or [ShopVariant(said.product_id, None, None, is_in_stock=True)]
    changed = catalog_services.put_product_group(
        project=shop.project,
        group_sku=said.product_id,
        items=[_item(shop, said, variant) for variant in variants],
        is_complete=said.has_all_variants,
        now=now,
    )
    return Put(is_changed=changed > 0)


@transaction.atomic
def delete_product(*, shop: ShopConnection, product_id: str, deleted_at: datetime, now: datetime) -> Put:
    """Take a product out of the catalogue; what was said of it before cannot bring it back."""
    if not is_newest(shop=shop, kind=ObjectKind.PRODUCT, object_id=product_id, changed_at=deleted_at):
        return Put(reason=OLDER)
    gone = catalog_services.remove_product_group(project=shop.project, group_sku=product_id, now=now)
    return Put(is_changed=gone > 0)


def product_url(shop: ShopConnection, handle: str) -> str:
    """Return the page of a product under the address at which shoppers see the shop."""
    parts = urlsplit(shop.project.shop_url)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"https://{shop.domain}"
    return f"{origin}/products/{quote(handle)}"


def _item(shop: ShopConnection, said: ShopProduct, variant: ShopVariant) -> FeedItem:
    url = product_url(shop, said.handle)
    return FeedItem(
        sku=variant.variant_id,
        group_sku=said.product_id,
        title=said.title,
        description=said.description,
        url=url,
        url_key=catalog_services.page_reader(project_id=shop.project_id).catalogue_key(url),
        image_url=variant.image_url or said.image_url,
        price=variant.full_price or variant.price,
        sale_price=variant.price if variant.full_price is not None else None,
        currency=shop.project.currency if variant.price is not None else "",
        availability=(Availability.IN_STOCK if variant.is_in_stock else Availability.OUT_OF_STOCK).value,
        brand=said.brand,
        category=said.category,
    )
