"""Visited pages without a product: found, told what they are, and counted as that at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from signals_app.catalog import services as catalog
from signals_app.catalog.exceptions import InvalidAlias
from signals_app.catalog.models import PageAlias, Product
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import Interest
from signals_app.shopper_signals.services import unmatched_pages

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGE = "/admin/pages-without-a-product/"
Visit = Callable[..., None]


@pytest.fixture
def scarf(project: Project) -> Product:
    return Product.objects.create(
        project=project,
        sku="S-1",
        title="Wool scarf",
        url="https://shop.example.com/products/wool-scarf",
        url_key="/products/wool-scarf",
        category="Scarves",
        brand="Nordlicht",
        first_seen_at=NOW,
    )


@pytest.fixture
def visit(post_signal: Any, run_due: Any) -> Visit:
    numbers = iter(range(1, 1_000))

    def visit(*pages: str, user: str = "anna-1", at: datetime = NOW - timedelta(hours=1)) -> None:
        events = [{"name": page} for page in pages]
        post_signal({"relevant_events": events, "user_id": user, "num_events": next(numbers)}, at=at)
        run_due(NOW)

    return visit


@pytest.fixture
def marketer(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MARKETER)


def listed(project: Project) -> list[tuple[str, int, int]]:
    found = unmatched_pages(project=project, now=NOW)
    return [(page.key, page.visits, page.shoppers) for page in found.pages]


def test_pages_are_counted_likely_products_first(project: Project, scarf: Product, visit: Visit) -> None:
    visit("/products/old-scarf?variant=1", "/blogs/news", "/blogs/news", "/products/wool-scarf", "/cart", "/")
    visit("https://shop.example.com/de/products/old-scarf", "/collections/new", user="ben-2")

    assert listed(project) == [("/products/old-scarf", 2, 2), ("/blogs/news", 2, 1)]


def test_what_is_old_or_anothers_is_left_out(project: Project, visit: Visit) -> None:
    visit("/products/ancient", at=NOW - timedelta(days=31))
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")

    assert listed(project) == []
    assert listed(other) == []


def test_a_page_that_shows_a_product_counts_as_it_at_once(
    project: Project, scarf: Product, visit: Visit, marketer: Client
) -> None:
    visit("/products/old-scarf")
    with time_machine.travel(NOW, tick=False):
        assert "/products/old-scarf" in marketer.get(PAGE).content.decode()

        marketer.post(PAGE, {"page": "/products/old-scarf", "product": "wool SCARF"}, follow=True)

        assert "/products/old-scarf" not in marketer.get(PAGE).content.decode()
    visit("/products/old-scarf")
    interests = set(Interest.objects.values_list("kind", "name"))
    assert {("product", "/products/wool-scarf"), ("category", "Scarves"), ("brand", "Nordlicht")} <= interests
    shown = catalog.products_by_key(project=project, keys=["/products/old-scarf"])
    assert shown == {"/products/old-scarf": scarf}


def test_a_page_without_a_product_word_can_show_one(project: Project, scarf: Product, visit: Visit) -> None:
    catalog.say_page_shows(project=project, page="https://shop.example.com/de/der-schal", product=scarf, by="anna")
    visit("/der-schal")

    assert ("product", "/products/wool-scarf") in set(Interest.objects.values_list("kind", "name"))


@pytest.mark.parametrize("said", ["S-1", "https://shop.example.com/products/wool-scarf", "Wool scarf"])
def test_a_product_is_named_by_id_page_or_title(project: Project, scarf: Product, marketer: Client, said: str) -> None:
    marketer.post(PAGE, {"page": "/p/x", "product": said})

    assert PageAlias.objects.get().product == scarf


def test_pages_are_ignored_one_by_one_or_by_their_beginning(project: Project, visit: Visit, marketer: Client) -> None:
    visit("/blogs/news", "/blogs/news/knitting", "/about", "/products/new")

    for pattern in ("/blogs/*", "/about"):
        marketer.post(PAGE, {"page": pattern})

    assert listed(project) == [("/products/new", 1, 1)]


@pytest.mark.parametrize(
    ("page", "product"), [("", "S-1"), ("add to cart", "S-1"), ("/p/x", "no such"), ("/p/x", ""), ("/*", None)]
)
def test_what_cannot_be_said_is_answered_with_why(
    project: Project, scarf: Product, marketer: Client, page: str, product: str | None
) -> None:
    answer = marketer.post(PAGE, {"page": page} | ({} if product is None else {"product": product}), follow=True)

    assert answer.status_code == 200
    assert list(answer.context["messages"])
    assert not PageAlias.objects.exists()


def test_a_product_of_another_store_is_none_of_this(project: Project, scarf: Product, sign_in: Any) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
    browser = sign_in(Role.OWNER, other)

    browser.post(PAGE, {"page": "/p/x", "product": "S-1"})

    assert not PageAlias.objects.exists()
    with pytest.raises(InvalidAlias):
        catalog.say_page_shows(project=other, page="/p/x", product=scarf, by="")


def test_only_who_may_edit_the_catalogue_may_say_it(scarf: Product, sign_in: Callable[..., Client]) -> None:
    analyst = sign_in(Role.ANALYST)

    assert analyst.get(PAGE).status_code == 200
    assert analyst.post(PAGE, {"page": "/p/x", "product": "S-1"}).status_code == 403


def test_a_product_put_right_by_hand_stays_so(scarf: Product, marketer: Client) -> None:
    address = f"/admin/catalog/product/{scarf.pk}/change/"

    marketer.post(
        address, {"title": "The scarf", "price": "9.90", "sale_price": "", "image_url": "", "is_active": "on"}
    )

    scarf.refresh_from_db()
    assert (scarf.title, str(scarf.price), scarf.kept_fields) == ("The scarf", "9.90", ["price", "title"])
    refused = marketer.post(address, {"title": "", "price": "-1", "sale_price": "x", "image_url": "javascript:1"})
    assert set(refused.context["adminform"].form.errors) == {"title", "price", "sale_price", "image_url"}
    marketer.post(reverse("admin:catalog_product_follow_feed", args=[scarf.pk]))
    scarf.refresh_from_db()
    assert scarf.kept_fields == []
