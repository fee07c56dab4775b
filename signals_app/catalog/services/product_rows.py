"""Writing products in bulk, from a feed or from the shop itself, without touching what a person set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from signals_app.catalog.feed_items import FeedItem
from signals_app.catalog.matching import handle_of
from signals_app.catalog.models import Product
from signals_app.projects.models import Project

IMPORTED_FIELDS = tuple(FeedItem.__dataclass_fields__)


@transaction.atomic
def put_products(
    *, project_id: UUID, feed_id: UUID | None, items: Iterable[FeedItem], now: datetime
) -> tuple[int, int]:
    """
    Insert products that are new and update those that differ, in one statement; return how many of each.

    What a person set stays, whoever told of the product before: a feed (`feed_id`), another one, or the shop (None).
    """
    by_sku = {item.sku: item for item in items}
    # Held until they are written: what a person sets at this moment is either read here or comes behind it.
    held = Product.objects.select_for_update(no_key=True).filter(project_id=project_id, sku__in=sorted(by_sku))
    stored = {product.sku: product for product in held.order_by("sku")}
    kept = [_as_kept(stored.get(sku), item) for sku, item in sorted(by_sku.items())]
    differing = [item for item in kept if not _is_same(stored.get(item.sku), item, feed_id=feed_id)]
    hidden = {sku for sku, one in stored.items() if "is_active" in one.kept_fields and not one.is_active}
    if differing:
        _write(project_id=project_id, feed_id=feed_id, items=differing, hidden=hidden, now=now)
    created = sum(item.sku not in stored for item in differing)
    return created, len(differing) - created


def _as_kept(product: Product | None, item: FeedItem) -> FeedItem:
    """Return an item with what a person set in place of its own."""
    if product is None or not product.kept_fields:
        return item
    kept = {name: getattr(product, name) for name in product.kept_fields if name in IMPORTED_FIELDS}
    return replace(item, **kept)


def _is_same(product: Product | None, item: FeedItem, *, feed_id: UUID | None) -> bool:
    return (
        product is not None
        and (product.is_active or "is_active" in product.kept_fields)
        and product.feed_id == feed_id
        and all(getattr(product, name) == getattr(item, name) for name in IMPORTED_FIELDS)
    )


def _write(
    *, project_id: UUID, feed_id: UUID | None, items: Sequence[FeedItem], hidden: Collection[str], now: datetime
) -> None:
    Product.objects.bulk_create(
        [
            Product(
                project_id=project_id,
                feed_id=feed_id,
                first_seen_at=now,
                is_active=item.sku not in hidden,
                category_handle=handle_of(item.category),
                **{name: getattr(item, name) for name in IMPORTED_FIELDS},
            )
            for item in items
        ],
        update_conflicts=True,
        unique_fields=["project", "sku"],
        update_fields=[
            *(name for name in IMPORTED_FIELDS if name != "sku"),
            *("category_handle", "feed", "is_active", "updated_at"),
        ],
    )


@transaction.atomic
def put_product_group(
    *, project: Project, group_sku: str, items: Sequence[FeedItem], is_complete: bool = True, now: datetime
) -> int:
    """
    Make the variants of one product what the shop says, and return how many rows that changed.

    Variants that it no longer has leave the catalogue, unless the list is not the whole of it (`is_complete`).
    """
    created, changed = put_products(project_id=project.pk, feed_id=None, items=items, now=now)
    others = Product.objects.filter(project=project, group_sku=group_sku, feed=None, is_active=True).exclude(
        sku__in=[item.sku for item in items]
    )
    return created + changed + (others.update(is_active=False, updated_at=now) if is_complete else 0)


def remove_product_group(*, project: Project, group_sku: str, now: datetime) -> int:
    """Take a product with all its variants out of the catalogue, and return how many rows that were."""
    group = Product.objects.filter(project=project, group_sku=group_sku, feed=None, is_active=True)
    return group.update(is_active=False, updated_at=now)
