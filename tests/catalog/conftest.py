from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from signals_app.catalog import matching, services
from signals_app.catalog.models import Product, ProductFeed
from signals_app.catalog.services import FeedReport
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def feed(project: Project) -> ProductFeed:
    return ProductFeed.objects.create(project=project, name="Products")


@pytest.fixture
def read_feed(feed: ProductFeed) -> Callable[..., FeedReport]:
    """Upload this content as the feed's file and import it."""

    def read_feed(content: str | bytes, *, now: datetime = NOW) -> FeedReport:
        raw = content if isinstance(content, bytes) else content.encode()
        feed.upload.save("feed.csv", ContentFile(raw))
        return services.import_feed(feed=feed, now=now)

    return read_feed


@pytest.fixture
def product(project: Project) -> Callable[..., Product]:
    """Store a product, in stock unless said otherwise."""

    def product(sku: str, **values: Any) -> Product:
        url = values.pop("url", f"https://shop.example.com/products/{sku}")
        said: dict[str, Any] = {"title": sku.title(), "first_seen_at": NOW, "price": 10, "currency": "EUR"} | values
        keys = {"url_key": matching.catalogue_key(url), "category_handle": matching.handle_of(said.get("category", ""))}
        return Product.objects.create(project=project, sku=sku, url=url, **keys, **said)

    return product
