"""The demo store's own data: products with pictures, coupons, people's consents."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile

from signals_app.catalog import services as catalog_services
from signals_app.catalog.models import Coupon, ProductFeed
from signals_app.projects.models import Project

FEED_FILE = Path(__file__).with_name("products.csv")
COUPON_POOL = "come-back"
COUPONS = 500


def import_products(*, project: Project, now: datetime) -> None:
    """Read the bundled product feed, its pictures pointing at this server."""
    text = FEED_FILE.read_text(encoding="utf-8").replace("{public_url}", settings.PUBLIC_URL)
    feed = ProductFeed.objects.filter(project=project).first() or ProductFeed(project=project, name="Demo products")
    feed.upload.save("demo-products.csv", ContentFile(text.encode()), save=False)
    feed.save()
    catalog_services.import_feed(feed=feed, now=now)


def add_coupons(*, project: Project) -> None:
    codes = (hashlib.sha256(f"{project.id}{number}".encode()).hexdigest()[:8].upper() for number in range(COUPONS))
    Coupon.objects.bulk_create(
        [Coupon(project=project, pool=COUPON_POOL, code=f"NORD-{code}") for code in codes], ignore_conflicts=True
    )
