"""Feeds and coupons in the admin."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.catalog.models import Coupon, Product, ProductFeed
from signals_app.projects.constants import Role
from signals_app.projects.models import Project

ADD_FEED = "/admin/catalog/productfeed/add/"
ADD_COUPONS = "/admin/catalog/coupon/add/"
FEED = {"name": "Main", "format": "AUTO", "refresh_hours": "6"}


@pytest.fixture
def marketer(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MARKETER)


def test_a_new_feed_is_due_at_once(marketer: Client) -> None:
    answer = marketer.post(ADD_FEED, FEED | {"url": "https://shop.example.com/feed.xml"})

    feed = ProductFeed.objects.get()
    assert answer.status_code == 302
    assert feed.due_at is not None
    assert feed.due_at <= timezone.now()


def test_a_feed_is_read_again_when_asked_for(marketer: Client, project: Project) -> None:
    feed = ProductFeed.objects.create(project=project, url="https://shop.example.com/feed.xml", state="FAILED")

    marketer.post(reverse("admin:catalog_productfeed_read_now", args=[feed.pk]))
    feed.refresh_from_db()

    assert feed.state == "WAITING"
    assert feed.due_at is not None


class ImportEndsMeanwhile(FileSystemStorage):
    """Files that are stored in the moment in which an import of the feed comes to its end."""

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        ProductFeed.objects.update(product_count=7, lease_token=None, lease_until=None)
        return super().save(name, content, max_length)


def test_a_feed_changed_while_its_import_ends_keeps_what_came_of_that(
    marketer: Client, project: Project, settings: Any
) -> None:
    leased = {"lease_token": uuid.uuid4(), "lease_until": timezone.now() + timedelta(minutes=9)}
    feed = ProductFeed.objects.create(project=project, upload="feeds/old.csv", **leased)
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "tests.catalog.test_admin.ImportEndsMeanwhile"}}

    address = reverse("admin:catalog_productfeed_change", args=[feed.pk])
    marketer.post(address, FEED | {"upload": SimpleUploadedFile("new.csv", b"id,title,link\n")})

    feed.refresh_from_db()
    assert (feed.name, feed.product_count, feed.lease_token, feed.lease_until) == ("Main", 7, None, None)
    assert feed.upload.name.startswith("feeds/new")


@pytest.mark.parametrize("url", ["", "ftp://shop.example.com/feed.xml", "javascript:alert(1)", "nonsense"])
def test_a_feed_without_a_usable_address_is_refused_at_its_field(marketer: Client, url: str) -> None:
    answer = marketer.post(ADD_FEED, FEED | {"url": url})

    assert answer.status_code == 200
    assert "url" in answer.context["adminform"].form.errors
    assert not ProductFeed.objects.exists()


def test_a_feed_has_an_address_or_a_file_not_both(marketer: Client) -> None:
    upload = SimpleUploadedFile("feed.csv", b"id,title\n1,Lamp\n")

    answer = marketer.post(ADD_FEED, FEED | {"url": "https://shop.example.com/feed.xml", "upload": upload})

    assert "one of the two" in answer.content.decode()


@pytest.mark.parametrize("role", [Role.MARKETER, Role.ANALYST])
def test_an_uploaded_feed_is_downloaded_where_its_page_links_to(
    sign_in: Callable[..., Client], marketer: Client, role: Role, project: Project
) -> None:
    content = b"id,title\n1,Lamp\n"
    marketer.post(ADD_FEED, FEED | {"upload": SimpleUploadedFile("feed.csv", content)})
    feed = ProductFeed.objects.get()
    file = reverse("admin:catalog_productfeed_file", args=[feed.pk])
    browser = sign_in(role)

    page = browser.get(reverse("admin:catalog_productfeed_change", args=[feed.pk])).content.decode()
    answer = browser.get(file)

    assert f'href="{file}"' in page
    assert "feeds/feed" not in page
    assert b"".join(answer.streaming_content) == content
    assert answer["Content-Disposition"].startswith("attachment")
    marketer.post(reverse("admin:catalog_productfeed_change", args=[feed.pk]), FEED | {"name": "Renamed"})
    feed.refresh_from_db()
    assert (feed.name, bool(feed.upload)) == ("Renamed", True)
    assert Client().get(file).status_code == 302
    ProductFeed.objects.update(project=Project.objects.create(slug="other", name="Other"))
    assert browser.get(file).status_code == 404


def test_many_codes_are_added_at_once_and_each_only_once(marketer: Client, project: Project) -> None:
    Coupon.objects.create(project=project, pool="autumn", code="SAVE-2")

    page = marketer.post(ADD_COUPONS, {"pool": "autumn", "codes": "SAVE-1\r\nSAVE-2\n\n SAVE-3 \nSAVE-1"}, follow=True)

    assert "2 codes added to pool autumn. 1 were there already." in page.content.decode()
    assert sorted(Coupon.objects.values_list("code", flat=True)) == ["SAVE-1", "SAVE-2", "SAVE-3"]


@pytest.mark.parametrize("codes", ["", "  \n ", "x" * 61, "SAVE-1"])
def test_codes_that_cannot_be_added_are_refused_at_their_field(marketer: Client, project: Project, codes: str) -> None:
    Coupon.objects.create(project=project, pool="autumn", code="SAVE-1")

    answer = marketer.post(ADD_COUPONS, {"pool": "autumn", "codes": codes})

    assert answer.status_code == 200
    assert "codes" in answer.context["adminform"].form.errors
    assert Coupon.objects.count() == 1


def test_a_code_that_a_shopper_has_stays(sign_in: Callable[..., Client], project: Project) -> None:
    given = Coupon.objects.create(project=project, pool="autumn", code="A", claimed_at=timezone.now(), claim_key="k")
    free = Coupon.objects.create(project=project, pool="autumn", code="B")
    owner = sign_in(Role.OWNER)

    alone = owner.post(reverse("admin:catalog_coupon_delete", args=[given.pk]), {"post": "yes"})
    owner.post(
        reverse("admin:catalog_coupon_changelist"),
        {"action": "delete_selected", "_selected_action": [str(given.pk), str(free.pk)], "post": "yes"},
    )

    assert alone.status_code == 403
    assert Coupon.objects.filter(pk=given.pk).exists()


def test_products_are_found_by_title_and_shown_with_their_price(marketer: Client, project: Project) -> None:
    for number, title in enumerate(("Head lamp", "Tent")):
        Product.objects.create(
            project=project, sku=f"N{number}", title=title, url=f"https://shop.example.com/products/{number}",
            url_key=f"/products/{number}", price="40", sale_price="30", currency="EUR", first_seen_at=timezone.now(),
        )  # fmt: skip

    page = marketer.get("/admin/catalog/product/", {"q": "lamp"})

    assert [str(product) for product in page.context["cl"].result_list] == ["Head lamp"]
    assert "30.00 EUR (was 40.00 EUR)" in page.content.decode()
    assert marketer.get("/admin/catalog/product/", {"q": "N1"}).context["cl"].result_count == 1
