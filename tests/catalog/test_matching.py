from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.catalog import matching
from signals_app.catalog.matching import Page, PageKind

RESERVED = matching.PRODUCT_WORDS | matching.CATEGORY_WORDS
handles = (
    st.text("abcdefghijklmnopqrstuvwxyzäöüß0123456789-", min_size=3, max_size=30)
    .map(lambda text: text.strip("-"))
    .filter(lambda text: len(text) > 2 and text not in RESERVED)
)
origins = st.sampled_from(
    ["", "https://shop.example.com", "HTTPS://Shop.Example.COM", "http://www.shop.example:8080", "//shop.example"]
)
locales = st.sampled_from(["", "/en", "/de-de", "/fr_CA", "/EN-us", "/us/en"])
collections = st.sampled_from(["", "/collections/sale", "/collections/products", "/Collections/new%20in"])
tails = st.sampled_from(["", "/", "?variant=123", "?utm_source=x&variant=1#reviews", "#top", "/?q=wool", ".html"])
words = st.sampled_from(["products", "Products", "PRODUCTS"])


@st.composite
def spellings(draw: st.DrawFn, handle: str) -> str:
    spelt = draw(st.sampled_from([handle, handle.upper() if "ß" not in handle else handle, quote(handle)]))
    path = f"{draw(locales)}{draw(collections)}/{draw(words)}/{spelt}{draw(tails)}"
    return draw(origins) + path


class TestTheKeyOfAProduct:
    @given(st.data(), handles)
    def test_is_the_same_however_its_address_is_spelt(self, data: st.DataObject, handle: str) -> None:
        address = data.draw(spellings(handle))

        assert matching.url_key(address) == f"/products/{handle}"

    @given(handles, handles)
    def test_tells_products_apart(self, one: str, other: str) -> None:
        assert (matching.url_key(f"/products/{one}") == matching.url_key(f"/products/{other}")) == (one == other)

    @given(handles)
    def test_is_its_own_key(self, handle: str) -> None:
        key = matching.url_key(f"https://shop.example/products/{handle}")

        assert key is not None
        assert matching.url_key(key) == key

    @pytest.mark.parametrize(
        ("address", "key"),
        [
            ("https://shop.example/p/12345/wool-scarf", "/p/12345/wool-scarf"),
            ("https://shop.example/de/produkte/wollschal", "/produkte/wollschal"),
            ("shop.example.com/products/wool-scarf", "/products/wool-scarf"),
            ("/product/wool-scarf", "/product/wool-scarf"),
            ("https://user@shop.example/products/x%2Fy", "/products/x/y"),
        ],
    )
    def test_follows_other_words_for_product(self, address: str, key: str) -> None:
        assert matching.url_key(address) == key

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "/",
            "/products",
            "/products/",
            "/en/products?page=2",
            "/cart",
            "Add to cart",
            "products",
            "/en",
            "javascript:alert(1)",
        ],
    )
    def test_is_none_for_what_shows_no_product(self, address: str) -> None:
        assert matching.url_key(address) is None

    @given(st.text() | st.text(st.characters(codec="utf-8")).map(lambda text: f"/products/{text}"))
    def test_is_short_and_printable_whatever_the_address_holds(self, address: str) -> None:
        page = matching.page_kind(address)

        assert len(page.key) <= matching.KEY_LENGTH
        assert page.key.isprintable()
        assert len(matching.catalogue_key(address)) <= matching.KEY_LENGTH

    def test_looks_at_a_hostile_address_no_longer_than_at_others(self) -> None:
        assert matching.url_key("/products/" + "%25" * 1_000_000) is not None
        assert matching.page_kind("/" * 1_000_000) == Page(PageKind.OTHER, "/")


@pytest.mark.parametrize(
    ("category", "handle"),
    [
        ("Apparel > Winter Wool", "winter-wool"),
        ("T-Shirts & Tops", "t-shirts-tops"),
        ("Große Größen", "grosse-grossen"),
        ("winter-wool", "winter-wool"),
        (" > ", ""),
        ("", ""),
    ],
)
def test_the_handle_of_a_category(category: str, handle: str) -> None:
    assert matching.handle_of(category) == handle


@given(st.text(max_size=400))
def test_the_handle_of_a_handle_is_itself(category: str) -> None:
    handle = matching.handle_of(category)

    assert matching.handle_of(handle) == handle
    assert len(handle) <= matching.KEY_LENGTH


class TestThePage:
    @pytest.mark.parametrize(
        ("address", "page"),
        [
            ("https://shop.example/cart", Page(PageKind.CART, "/cart")),
            ("/en-gb/basket/", Page(PageKind.CART, "/basket")),
            ("add_to_cart", Page(PageKind.CART, "")),
            ("Begin checkout", Page(PageKind.CHECKOUT, "")),
            ("/checkouts/c/abc/information", Page(PageKind.CHECKOUT, "/checkouts/c/abc/information")),
            ("/collections/Winter-Wool?page=2", Page(PageKind.CATEGORY, "winter-wool")),
            ("/de/kategorie/schuhe/laufschuhe", Page(PageKind.CATEGORY, "laufschuhe")),
            ("/search?q=Wool+Scarf", Page(PageKind.SEARCH, "wool scarf")),
            ("/suche?query=wolle", Page(PageKind.SEARCH, "wolle")),
            ("/?s=wool", Page(PageKind.SEARCH, "wool")),
            ("/about?s=3", Page(PageKind.OTHER, "/about")),
            ("/search?q=", Page(PageKind.OTHER, "/search")),
            ("/fr/wool-scarf.html?v=2", Page(PageKind.OTHER, "/wool-scarf")),
            ("Opened the size table", Page(PageKind.OTHER, "")),
            ("https://[broken/products/x", Page(PageKind.PRODUCT, "/products/x")),
        ],
    )
    def test_is_recognised(self, address: str, page: Page) -> None:
        assert matching.page_kind(address) == page

    @pytest.mark.parametrize(("handle", "words"), [("winter-wool", "Winter wool"), ("/products/a_b", "A b"), ("", "")])
    def test_has_words_for_its_handle(self, handle: str, words: str) -> None:
        assert matching.words_of(handle) == words
