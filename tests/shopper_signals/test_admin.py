"""The list of signals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals.admin.signals import page_address
from signals_app.shopper_signals.models import ShopperSignal

LIST = "/admin/shopper_signals/shoppersignal/"
SHOP = "https://shop.example.com"


@pytest.fixture
def signal(project: Project) -> ShopperSignal:
    customer = Customer.objects.create(project=project, name="Anna")
    identifier = Identifier.objects.create(project=project, customer=customer, kind="email", value="anna@example.com")
    return ShopperSignal.objects.create(
        project=project,
        identifier=identifier,
        received_at=datetime(2026, 11, 24, tzinfo=UTC),
        drop_proba=0.97,
        num_broken_buttons=2,
        avg_broken_buttons=0.1,
        relevant_events=[{"name": "/products/lamp"}, {"name": "javascript:alert(1)"}],
    )


def test_a_signal_is_found_by_the_shoppers_id_and_by_its_own(
    sign_in: Callable[..., Client], signal: ShopperSignal, project: Project
) -> None:
    ShopperSignal.objects.create(project=project, received_at=signal.received_at)
    browser = sign_in()

    for words in ("Anna@example.com", str(signal.pk)):
        assert list(browser.get(LIST, {"q": words}).context["cl"].result_list) == [signal]
    assert not browser.get(LIST, {"q": "anna"}).context["cl"].result_count
    assert browser.get(LIST).context["cl"].result_count == 2


def test_a_page_says_what_was_measured_and_links_only_to_web_pages(
    sign_in: Callable[..., Client], signal: ShopperSignal
) -> None:
    page = sign_in().get(reverse("admin:shopper_signals_shoppersignal_change", args=[signal.pk])).content.decode()

    assert "97%" in page
    assert "usually 0.1" in page
    assert f'href="{SHOP}/products/lamp"' in page
    assert 'rel="noopener noreferrer nofollow"' in page
    assert "javascript:alert(1)" in page
    assert 'href="javascript:' not in page


def test_a_list_asks_the_database_as_often_for_forty_signals_as_for_one(
    sign_in: Callable[..., Client], signal: ShopperSignal, django_assert_max_num_queries: Any
) -> None:
    ShopperSignal.objects.bulk_create(
        ShopperSignal(project=signal.project, identifier=signal.identifier, received_at=signal.received_at)
        for _ in range(39)
    )
    browser = sign_in()

    with django_assert_max_num_queries(14):
        assert browser.get(LIST).context["cl"].result_count == 40


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("/products/lamp?a=1", f"{SHOP}/products/lamp?a=1"),
        ("https://other.example/x", "https://other.example/x"),
        ("//evil.example/x", "//evil.example/x"),
        ("click on Add to cart", "click on Add to cart"),
    ],
)
def test_only_a_path_is_the_shops_own(name: str, address: str) -> None:
    assert page_address(name, SHOP) == address
