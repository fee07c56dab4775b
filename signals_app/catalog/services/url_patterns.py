"""A shop's patterns of addresses: kept as one row, compiled once a version, read at most once a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from signals_app.catalog import url_patterns
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.exceptions import InvalidPattern
from signals_app.catalog.models import Product, UrlPatterns
from signals_app.catalog.url_patterns import PageReader, UrlRule
from signals_app.core import bulk
from signals_app.projects.models import Project

REMEMBERED_SECONDS = 1.0
STORES_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    read_at: float
    reader: PageReader


_known: dict[UUID, _Known] = {}


def page_reader(*, project_id: UUID) -> PageReader:
    """Return what reads a store's addresses, with the patterns of now or of a second ago."""
    known, now = _known.get(project_id), time.monotonic()
    if known is not None and now - known.read_at < REMEMBERED_SECONDS:
        return known.reader
    row = UrlPatterns.objects.filter(project_id=project_id).values_list("version", "patterns").first()
    version, patterns = row if row else (0, [])
    reader = known.reader if known is not None and known.version == version else PageReader(_rules(patterns))
    if len(_known) >= STORES_REMEMBERED:
        _known.clear()
    _known[project_id] = _Known(version, now, reader)
    return reader


def patterns_of(*, project: Project) -> list[UrlRule]:
    """Return a store's patterns in their order."""
    row = UrlPatterns.objects.filter(project=project).values_list("patterns", flat=True).first()
    return _rules(row or [])


def save_patterns(*, project: Project, rules: Sequence[UrlRule], saved_by: str) -> UrlPatterns:
    """
    Store a store's patterns in this order, as a new version if they differ from what stands there.

    :raises InvalidPattern: if one cannot be read, or there are too many.
    """
    if len(rules) > url_patterns.MOST_PATTERNS:
        raise InvalidPattern(f"At most {url_patterns.MOST_PATTERNS} patterns.")
    for rule in rules:
        url_patterns.compile_rule(rule)
    said = [{"kind": rule.kind.value, "pattern": rule.pattern.strip()} for rule in rules]
    with transaction.atomic():
        row, _ = UrlPatterns.objects.select_for_update(no_key=True).get_or_create(project=project)
        if row.patterns != said:
            row.patterns, row.version, row.saved_by = said, row.version + 1, saved_by[:150]
            row.save()
    _known.pop(project.pk, None)
    return row


def rekey_products(*, project: Project, after: UUID | None, limit: int) -> tuple[UUID | None, int]:
    """
    Give the next products of the catalogue the keys that the patterns of now make of their addresses.

    Returns the last product looked at, None when there are no more, and how many were changed. Repeat it until None.
    """
    reader = page_reader(project_id=project.pk)
    products = Product.objects.filter(project=project).order_by("pk")
    if after is not None:
        products = products.filter(pk__gt=after)
    found = list(products.values_list("pk", "url", "url_key")[:limit])
    changed = [(pk, new) for pk, url, key in found if (new := reader.catalogue_key(url)) != key]
    if changed:
        with transaction.atomic():
            bulk.change_rows(Product, key="id", fields=("url_key",), rows=changed)
    return (found[-1][0] if found else None), len(changed)


def _rules(patterns: Sequence[dict[str, str]]) -> list[UrlRule]:
    return [UrlRule(UrlKind(each["kind"]), each["pattern"]) for each in patterns]
