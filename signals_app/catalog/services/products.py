"""Finding products: by the page that shows them, similar ones, new ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from django.db.models import Case, DecimalField, F, IntegerField, Max, Min, Q, QuerySet, Value, When
from django.db.models.functions import Abs, Coalesce

from signals_app.catalog import matching
from signals_app.catalog.constants import Availability
from signals_app.catalog.models import PageAlias, Product
from signals_app.projects.models import Project


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What a page's product says of the interests of who views it."""

    category: str
    brand: str
    key: str = ""
    """The product's own page, where another one was asked for; empty: the one that was asked for."""


KEYS_AT_ONCE = 5_000
"""Well below the 32,766 parameters that one statement of SQLite takes."""
VARIANTS_READ = 20
"""Rows looked at for each product wanted: variants share a page and are shown once."""


def products_by_key(*, project: Project, keys: Iterable[str]) -> dict[str, Product]:
    """
    Return the product that each page shows, by its key (`PageReader.page`); unknown keys are left out.

    Of several variants on one page it is one in stock, and the cheapest of these.
    """
    wanted = iter(sorted(set(keys)))
    found: dict[str, Product] = {}
    while chunk := list(islice(wanted, KEYS_AT_ONCE)):
        for product in Product.objects.filter(project=project, url_key__in=chunk, is_active=True):
            known = found.get(product.url_key)
            if known is None or _rank(product) < _rank(known):
                found[product.url_key] = product
        for alias in _aliases(project, set(chunk) - found.keys()).select_related("product"):
            if alias.product is not None:
                found[alias.pattern] = alias.product
    return found


def facts_by_key(*, project: Project, keys: Iterable[str]) -> dict[str, ProductFacts]:
    """Return category and brand of the product that each page shows, by its key; for many keys and often."""
    wanted = iter(sorted(set(keys)))
    facts: dict[str, ProductFacts] = {}
    while chunk := list(islice(wanted, KEYS_AT_ONCE)):
        rows = Product.objects.filter(project=project, url_key__in=chunk, is_active=True).order_by("sku")
        for key, category, brand in rows.values_list("url_key", "category", "brand"):
            facts.setdefault(key, ProductFacts(category=category, brand=brand))
        if unknown := set(chunk) - facts.keys():
            columns = ("pattern", "product__category", "product__brand", "product__url_key")
            for key, category, brand, own in _aliases(project, unknown).values_list(*columns):
                facts[key] = ProductFacts(category=category, brand=brand, key=own)
    return facts


def categories_by_handle(*, project: Project, handles: Collection[str]) -> dict[str, str]:
    """
    Return the category that each handle of an address means, as the products of it name it ("Apparel > Scarves").

    A handle that no product knows, or that means several ("Women > Shoes", "Men > Shoes"), is left out.
    """
    if not handles:
        return {}
    rows = Product.objects.filter(project=project, category_handle__in=sorted(handles), is_active=True)
    spread = rows.values_list("category_handle").annotate(Min("category"), Max("category")).order_by()
    return {handle: first for handle, first, last in spread if first == last}


def alternatives(
    *, project: Project, products: Sequence[Product], limit: int, exclude_keys: Collection[str] = ()
) -> list[Product]:
    """
    Return up to `limit` other products in stock, of the same category or else brand, nearest in price first.

    None of `products` and none whose page is in `exclude_keys`.
    """
    categories = {product.category for product in products if product.category}
    brands = {product.brand for product in products if product.brand}
    if not (categories or brands):
        return []
    excluded = {*exclude_keys, *(product.url_key for product in products)}
    is_same_category = Case(
        When(category__in=sorted(categories), then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    similar = (
        _in_stock(project)
        .filter(Q(category__in=sorted(categories)) | Q(brand__in=sorted(brands)))
        .exclude(url_key__in=sorted(excluded))
        .annotate(rank=is_same_category)
    )
    prices = [price for product in products if (price := _price_of(product)) is not None]
    order: list[str] = ["rank"]
    if prices:
        mean = (sum(prices, Decimal(0)) / len(prices)).quantize(Decimal("0.01"))
        asked = Coalesce(F("sale_price"), F("price"), Value(mean), output_field=DecimalField())
        similar = similar.annotate(distance=Abs(asked - Value(mean), output_field=DecimalField()))
        order.append("distance")
    return _one_a_page(similar.order_by(*order, "sku"), limit)


def newest_in(*, project: Project, category: str, limit: int) -> list[Product]:
    """
    Return up to `limit` products in stock that came last into a category.

    `category` is a feed's product type ("Shoes > Running"), its last part, or the handle of a shop's category page
    ("running-shoes"), which is what a shopper's interest may be named.
    """
    words = matching.words_of(category.rsplit(">", 1)[-1].strip())
    matching_category = (
        Q(category__iexact=category)
        | Q(category__iexact=words)
        | Q(category__iendswith=f"> {words}")
        | Q(category__istartswith=f"{category} >")
    )
    if not words:
        return []
    return _one_a_page(_in_stock(project).filter(matching_category).order_by("-first_seen_at", "sku"), limit)


def keep_by_hand(*, product: Product, fields: Collection[str]) -> None:
    """
    Store the fields that a person set, and let imports leave them as they are.

    Of `is_active` only "no" is kept: shown again, a product is shown for as long as the feed or the shop lists it.
    """
    kept = {*product.kept_fields, *fields}
    product.kept_fields = sorted(kept - {"is_active"} if product.is_active else kept)
    product.category_handle = matching.handle_of(product.category)
    product.save(update_fields=[*fields, "category_handle", "kept_fields", "updated_at"])


def follow_feed_again(*, product: Product) -> None:
    """Let imports change every field of a product again."""
    Product.objects.filter(pk=product.pk).update(kept_fields=[])
    product.kept_fields = []


def _aliases(project: Project, keys: Collection[str]) -> QuerySet[PageAlias]:
    """Select what a person said of pages that are no product's own."""
    said = PageAlias.objects.filter(project=project, pattern__in=sorted(keys), product__is_active=True)
    return said if keys else said.none()


def _in_stock(project: Project) -> QuerySet[Product]:
    return Product.objects.filter(project=project, is_active=True, availability=Availability.IN_STOCK)


def _one_a_page(products: QuerySet[Product], limit: int) -> list[Product]:
    by_key: dict[str, Product] = {}
    for product in products[: limit * VARIANTS_READ]:
        by_key.setdefault(product.url_key, product)
    return list(by_key.values())[:limit]


def _rank(product: Product) -> tuple[bool, Decimal, str]:
    price = _price_of(product)
    return (
        product.availability != Availability.IN_STOCK,
        Decimal("Infinity") if price is None else price,
        product.sku,
    )


def _price_of(product: Product) -> Decimal | None:
    return product.price if product.sale_price is None else product.sale_price
