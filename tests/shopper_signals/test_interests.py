from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signals_app.catalog.services import ProductFacts
from signals_app.shopper_signals import interests

CATALOGUE = interests.Catalogue(
    products={
        "/products/wool-scarf": ProductFacts(category="Apparel > Scarves", brand="Nordlicht"),
        "/felt-hat": ProductFacts(category="", brand="Nordlicht"),
    },
    categories={"scarves": "Apparel > Scarves"},
)


def read(*names: str) -> interests.PagesRead:
    return interests.read(interests.pages_of([{"name": name} for name in names]), CATALOGUE)


class TestThePagesOfASignal:
    def test_tell_product_category_and_brand(self) -> None:
        assert read("/en/products/wool-scarf", "/products/unknown").weights == {
            ("product", "/products/wool-scarf"): 1,
            ("category", "Apparel > Scarves"): 1,
            ("brand", "Nordlicht"): 1,
            ("product", "/products/unknown"): 1,
        }

    def test_tell_a_product_whose_path_names_no_product_from_the_catalogue(self) -> None:
        found = read("https://shop.example/felt-hat.html", "/felt-hat", "/about")

        assert found.views == {"/felt-hat": 2}
        assert found.weights == {("product", "/felt-hat"): 2, ("brand", "Nordlicht"): 2}

    def test_tell_a_category_by_the_name_that_its_products_have_it_by(self) -> None:
        assert read("/collections/Scarves", "/products/wool-scarf").weights == {
            ("category", "Apparel > Scarves"): 2,
            ("product", "/products/wool-scarf"): 1,
            ("brand", "Nordlicht"): 1,
        }

    def test_tell_category_and_search_from_the_address(self) -> None:
        assert read("/collections/winter-wool", "/search?q=wool").weights == {
            ("category", "winter-wool"): 1,
            ("search", "wool"): 1,
        }

    def test_tell_of_the_cart(self) -> None:
        assert read("/cart").visited_cart
        assert read("/checkout").visited_cart
        assert not read("/products/cart-bag").visited_cart

    def test_weigh_no_more_than_a_few_views(self) -> None:
        assert read(*["/products/wool-scarf"] * 100).weights["product", "/products/wool-scarf"] == interests.MOST_WEIGHT

    def test_are_cut_where_there_are_absurdly_many(self) -> None:
        found = read(*["/products/wool-scarf"] * 2, *(f"/products/item-{n}" for n in range(190)))

        assert len(found.weights) == interests.MOST_INTERESTS
        assert found.weights["product", "/products/wool-scarf"] == 2

    @given(st.lists(st.text() | st.none() | st.integers() | st.dictionaries(st.sampled_from(["name", "x"]), st.text())))
    def test_may_have_any_shape(self, events: list[Any]) -> None:
        found = interests.read(interests.pages_of(events), interests.Catalogue())

        for kind, name in found.weights:
            assert kind in ("product", "category", "brand", "search")
            assert 0 < len(name) <= 300
