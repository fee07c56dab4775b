"""Writing products in bulk, from a feed or from the shop itself, without touching what a person set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from signals_app.catalog.feed_items import FeedItem
from signals_app.catalog.models import Product
from signals_app.projects.models import Project

IMPORTED_FIELDS = tuple(FeedItem.__dataclass_fields__)


def as_kept(product: Product | None, item: FeedItem) -> FeedItem:
    """Return an item with the fields that a person set in place of its own."""
    if product is None or not product.kept_fields:
        return item
    kept = {name: getattr(product, name) for name in product.kept_fields if name in IMPORTED_FIELDS}
    return replace(item, **kept)


def hidden(stored: Mapping[str, Product]) -> set[str]:
    """Return the SKUs of products that a person took out of the catalogue, whatever the shop says."""
    return {sku for sku, product in stored.items() if "is_active" in product.kept_fields and not product.is_active}


def is_same(product: Product | None, item: FeedItem, *, feed_id: UUID | None) -> bool:
    return (
        product is not None
        and (product.is_active or "is_active" in product.kept_fields)
        and product.feed_id == feed_id
        and all(getattr(product, name) == getattr(item, name) for name in IMPORTED_FIELDS)
    )


def write(
    *, project_id: UUID, feed_id: UUID | None, items: Sequence[FeedItem], hidden: set[str], now: datetime
) -> None:
    """Insert or update products, in one statement."""
    Product.objects.bulk_create(
        [
            Product(
                project_id=project_id,
                feed_id=feed_id,
                first_seen_at=now,
                is_active=item.sku not in hidden,
                **{name: getattr(item, name) for name in IMPORTED_FIELDS},
            )
            for item in sorted(items, key=lambda item: item.sku)
        ],
        update_conflicts=True,
        unique_fields=["project", "sku"],
        update_fields=[*(name for name in IMPORTED_FIELDS if name != "sku"), "feed", "is_active", "updated_at"],
    )


@transaction.atomic
def put_product_group(
    *, project: Project, group_sku: str, items: Sequence[FeedItem], is_complete: bool = True, now: datetime
) -> int:
    """
    Make the variants of one product what the shop says, and return how many rows that changed.

    Variants that it no longer has leave the catalogue, unless the list is not the whole of it (`is_complete`).
    """
    group = Product.objects.filter(project=project, group_sku=group_sku, feed=None)
    stored = {product.sku: product for product in group}
    kept = [as_kept(stored.get(item.sku), item) for item in items]
    differing = [item for item in kept if not is_same(stored.get(item.sku), item, feed_id=None)]
    if differing:
        write(project_id=project.pk, feed_id=None, items=differing, hidden=hidden(stored), now=now)
    gone = stored.keys() - {item.sku for item in items} if is_complete else set()
    taken = group.filter(sku__in=sorted(gone), is_active=True).update(is_active=False, updated_at=now) if gone else 0
    return len(differing) + taken


def remove_product_group(*, project: Project, group_sku: str, now: datetime) -> int:
    """Take a product with all its variants out of the catalogue, and return how many rows that were."""
    group = Product.objects.filter(project=project, group_sku=group_sku, feed=None, is_active=True)
    return group.update(is_active=False, updated_at=now)
