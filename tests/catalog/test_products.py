from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from signals_app.catalog import services
from signals_app.catalog.models import Coupon, Product
from signals_app.projects.models import Project
from tests.catalog.conftest import NOW

Make = Callable[..., Product]


class TestTheProductOfAPage:
    def test_is_a_variant_in_stock_and_of_these_the_cheapest(self, project: Project, product: Make) -> None:
        page = "https://shop.example.com/products/scarf"
        product("gone", url=f"{page}?v=1", price=1, availability="out_of_stock")
        product("dear", url=f"{page}?v=2", price=20)
        product("cheap", url=f"{page}?v=3", price=30, sale_price=15)
        product("old", url=f"{page}?v=4", price=1, is_active=False)

        found = services.products_by_key(project=project, keys=["/products/scarf", "/products/none"])

        assert {key: one.sku for key, one in found.items()} == {"/products/scarf": "cheap"}

    def test_is_not_one_of_another_store(self, project: Project, product: Make) -> None:
        product("scarf")
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")

        assert services.products_by_key(project=other, keys=["/products/scarf"]) == {}

    def test_is_found_among_very_many_keys(self, project: Project, product: Make) -> None:
        product("scarf")

        keys = [f"/products/{n}" for n in range(40_000)] + ["/products/scarf"]

        assert list(services.products_by_key(project=project, keys=keys)) == ["/products/scarf"]
        assert list(services.facts_by_key(project=project, keys=keys)) == ["/products/scarf"]


class TestCategoriesByHandle:
    def test_are_named_as_the_products_of_them_name_them(self, project: Project, product: Make) -> None:
        product("scarf", category="Apparel > Winter Scarves")
        product("men", category="Men > Shoes")
        product("women", category="Women > Shoes")
        product("gone", category="Tents", is_active=False)

        found = services.categories_by_handle(project=project, handles={"winter-scarves", "shoes", "tents", "none"})

        assert found == {"winter-scarves": "Apparel > Winter Scarves"}

    def test_follow_what_a_person_says(self, project: Project, product: Make) -> None:
        scarf = product("scarf", category="Scarves")
        scarf.category = "Warm Things"

        services.keep_by_hand(product=scarf, fields=["category"])

        handles = {"scarves", "warm-things"}
        assert services.categories_by_handle(project=project, handles=handles) == {"warm-things": "Warm Things"}


class TestAlternatives:
    def test_are_in_stock_of_the_category_and_near_in_price_then_of_the_brand(
        self, project: Project, product: Make
    ) -> None:
        scarf = product("scarf", category="Scarves", brand="Nord", price=20)
        product("near", category="Scarves", brand="Other", price=22)
        product("far", category="Scarves", brand="Other", price=90)
        product("brand", category="Hats", brand="Nord", price=20)
        product("sold", category="Scarves", price=20, availability="out_of_stock")
        product("seen", category="Scarves", price=20)
        product("unrelated", category="Tents", brand="Other", price=20)

        found = services.alternatives(project=project, products=[scarf], limit=5, exclude_keys=["/products/seen"])

        assert [one.sku for one in found] == ["near", "far", "brand"]
        assert len(services.alternatives(project=project, products=[scarf], limit=1)) == 1

    def test_show_a_product_with_variants_once(self, project: Project, product: Make) -> None:
        scarf = product("scarf", category="Scarves")
        for n in range(3):
            product(f"shawl-{n}", category="Scarves", url=f"https://shop.example.com/products/shawl?v={n}")

        assert len(services.alternatives(project=project, products=[scarf], limit=5)) == 1

    def test_are_none_where_nothing_is_known(self, project: Project, product: Make) -> None:
        assert services.alternatives(project=project, products=[product("scarf")], limit=5) == []
        assert services.alternatives(project=project, products=[], limit=5) == []

    def test_bear_a_product_without_a_price(self, project: Project, product: Make) -> None:
        scarf = product("scarf", category="Scarves", price=None)
        product("other", category="Scarves", price=None)

        assert [one.sku for one in services.alternatives(project=project, products=[scarf], limit=5)] == ["other"]


class TestTheNewest:
    @pytest.mark.parametrize("category", ["Apparel > Winter wool", "winter-wool", "Winter wool", "Apparel"])
    def test_of_a_category_come_first(self, project: Project, product: Make, category: str) -> None:
        product("old", category="Apparel > Winter wool", first_seen_at=NOW - timedelta(days=9))
        product("new", category="Apparel > Winter wool")
        product("tent", category="Tents")

        found = services.newest_in(project=project, category=category, limit=5)

        assert [one.sku for one in found] == ["new", "old"]

    def test_of_no_category_are_none(self, project: Project, product: Make) -> None:
        product("tent")

        assert services.newest_in(project=project, category="", limit=5) == []


def _coupons(project: Project, count: int, **values: object) -> None:
    Coupon.objects.bulk_create(Coupon(project=project, pool="autumn", code=f"C{n}", **values) for n in range(count))


class TestACoupon:
    def test_is_the_same_for_the_same_claim_and_another_for_another(self, project: Project) -> None:
        _coupons(project, 2)

        first, again, other, none = (
            services.claim_coupon(project=project, pool="autumn", claim_key=key, now=NOW) for key in "aabc"
        )

        assert first is not None
        assert other is not None
        assert first == again
        assert first.code != other.code
        assert first.claimed_at == NOW
        assert none is None

    def test_of_another_pool_or_expired_is_not_given(self, project: Project) -> None:
        _coupons(project, 1, expires_at=NOW)

        assert services.claim_coupon(project=project, pool="autumn", claim_key="a", now=NOW) is None
        assert services.claim_coupon(project=project, pool="spring", claim_key="a", now=NOW) is None

    @pytest.mark.django_db(transaction=True)
    def test_is_given_to_one_only_when_many_ask_at_once(self, project: Project) -> None:
        _coupons(project, 30)

        def claim(number: int) -> tuple[int, str]:
            try:
                coupon = services.claim_coupon(project=project, pool="autumn", claim_key=f"k{number % 20}", now=NOW)
                return number % 20, coupon.code if coupon else ""
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            given = set(pool.map(claim, range(40)))

        assert len(given) == 20
        assert len({code for _, code in given}) == 20
        assert Coupon.objects.exclude(claimed_at=None).count() == 20
