"""What a person said of pages that match no product."""

from __future__ import annotations

from collections.abc import Iterable

from signals_app.catalog.exceptions import InvalidAlias
from signals_app.catalog.models import PageAlias, Product
from signals_app.catalog.services.url_patterns import page_reader
from signals_app.projects.models import Project

IGNORED_AT_MOST = 1_000


def say_page_shows(*, project: Project, page: str, product: Product, by: str) -> PageAlias:
    """
    Let a page count as a product's from now on; said again, the later holds.

    :raises InvalidAlias: if it is no page, or the product is of another store.
    """
    key = _key(project, page)
    if product.project_id != project.pk:
        raise InvalidAlias("This product is not one of the store.")
    return PageAlias.objects.update_or_create(
        project=project, pattern=key, defaults={"product": product, "said_by": by[:150]}
    )[0]


def ignore_pages(*, project: Project, pattern: str, by: str) -> PageAlias:
    """
    Leave pages out of the list of those that match no product: one, or with a star at the end all that begin so.

    :raises InvalidAlias: if it is no page, or would be every page.
    """
    text = pattern.strip()
    is_prefix = text.endswith("*")
    key = _key(project, text.removesuffix("*"), slash=is_prefix and text.removesuffix("*").endswith("/"))
    if key == "/" and is_prefix:
        raise InvalidAlias("That would be every page. Write more of it, such as /blogs/*.")
    return PageAlias.objects.update_or_create(
        project=project,
        pattern=(key + "*" if is_prefix else key)[:300],
        defaults={"product": None, "said_by": by[:150]},
    )[0]


def unmatched_among(*, project: Project, keys: Iterable[str]) -> set[str]:
    """Return the keys that are neither a product's page nor spoken for by a person."""
    wanted = set(keys)
    for chunk in _chunks(sorted(wanted)):
        wanted -= set(Product.objects.filter(project=project, url_key__in=chunk).values_list("url_key", flat=True))
        wanted -= set(PageAlias.objects.filter(project=project, pattern__in=chunk).values_list("pattern", flat=True))
    ignored = PageAlias.objects.filter(project=project, product=None, pattern__endswith="*")
    prefixes = tuple(one.removesuffix("*") for one in ignored.values_list("pattern", flat=True)[:IGNORED_AT_MOST])
    return {key for key in wanted if not key.startswith(prefixes)} if prefixes else wanted


def _chunks(keys: list[str]) -> Iterable[list[str]]:
    return (keys[start : start + 5_000] for start in range(0, len(keys), 5_000))


def _key(project: Project, page: str, *, slash: bool = False) -> str:
    text = page.strip()
    if not text.startswith(("/", "http://", "https://")):
        raise InvalidAlias("Write the page as an address or as a path, such as /products/wool-scarf.")
    reader = page_reader(project_id=project.pk)
    found = reader.page(text)
    key = found.key if found.key.startswith("/") else reader.catalogue_key(text)
    return key if not slash or key.endswith("/") else f"{key}/"
