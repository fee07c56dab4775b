from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.exceptions import InvalidPattern
from signals_app.catalog.matching import Page, PageKind
from signals_app.catalog.models import UrlPatterns
from signals_app.catalog.services import url_patterns as service
from signals_app.catalog.url_patterns import MOST_PATTERNS, PageReader, UrlRule, compile_rule
from signals_app.catalog.url_presets import PRESETS
from signals_app.projects.models import Project

P, C, CART, CHECKOUT = UrlKind.PRODUCT, UrlKind.CATEGORY, UrlKind.CART, UrlKind.CHECKOUT
CONTENT, IGNORED = UrlKind.CONTENT, UrlKind.IGNORED


def read(address: str, *rules: tuple[UrlKind, str]) -> Page:
    return PageReader(UrlRule(*rule) for rule in rules).page(address)


class TestAPattern:
    @pytest.mark.parametrize(
        ("kind", "pattern", "address", "key"),
        [
            (
                P,
                "/products/{slug}",
                "https://shop.example.com/products/Wool-Scarf?variant=3#top",
                "/products/wool-scarf",
            ),
            (P, "/products/{slug}", "/de/products/wool-scarf/", "/products/wool-scarf"),
            (P, "/products/{slug}", "/products/caf%C3%A9", "/products/café"),
            (P, "https://shop.example.com/products/{slug}", "/products/a", "/products/a"),
            (P, "/collections/*/products/{slug}", "/collections/sale/products/a", "/products/a"),
            (P, "/shop/produkt/{slug}", "/shop/produkt/a", "/shop/produkt/a"),
            (P, "/{category}/{slug}", "/men/a", "/men/a"),
            (P, "/{slug}.html", "/a.html", "/a"),
            (P, "/{slug}", "/a.html", "/a"),
            (P, "/**/sw{number}", "/a/b/SW1000", "/a/b/sw1000"),
            (P, "/p/{id}/*", "/p/12/wool-scarf/red", "/p/12"),
            (P, "/detail?id={number}", "/detail?x=1&id=12", "/detail?id=12"),
            (P, "/?product={slug}", "/?product=a", "/?product=a"),
            (C, "/collections/{slug}", "/en-gb/collections/wool", "wool"),
            (C, "/product-category/**/{slug}", "/product-category/a/b/", "b"),
            (C, "/product-category/**/{slug}", "/product-category/a", "a"),
            (C, "/de/kategorie/{slug}", "/de/kategorie/schals", "schals"),
            (CART, "/index.php?page=cart", "/index.php?page=cart&x=", "/index"),
            (CART, "/cart", "/cart.html", "/cart"),
            (CONTENT, "/blog/*", "/blog/2026/hats", "/blog/2026/hats"),
            (CONTENT, "/blog*", "/blog-of-hats", "/blog-of-hats"),
            (IGNORED, "/account/**", "/account", ""),
            (IGNORED, "/*?preview", "/products/a?preview=", ""),
        ],
    )
    def test_fits(self, kind: UrlKind, pattern: str, address: str, key: str) -> None:
        assert read(address, (kind, pattern)) == Page(PageKind(kind.value), key)

    @pytest.mark.parametrize(
        ("pattern", "address"),
        [
            ("/a/{x}", "/a"),
            ("/a/{x}", "/a/b/c"),
            ("/a/*/{x}", "/a/b"),
            ("/{x}.html", "/.html"),
            ("/sw{x}", "/sw"),
            ("/a/{x}?sale", "/a/b"),
            ("/a/{x}?page=cart", "/a/b?page=other"),
            ("/de/a/{x}", "/en/a/b"),
            ("/a/**/b/{x}", "/a/b"),
        ],
    )
    def test_does_not_fit(self, pattern: str, address: str) -> None:
        assert PageReader([UrlRule(P, pattern)]).explain(address)[1] is None

    @pytest.mark.parametrize(
        ("kind", "pattern", "words"),
        [
            (P, "", "Write a pattern"),
            (P, "products/{slug}", "Begin with a slash"),
            (P, "/products/*", "Say which part names the product, such as /product/{slug}"),
            (C, "/sale", "names the category"),
            (P, "/{a}-{b}", "one in braces|one name in braces"),
            (P, "/**/**/{a}", "once only"),
            (P, "/{}", "a word between the braces"),
            (P, "/{a", "one name in braces"),
            (P, "/{a}?id={b}", "Only one part can name"),
            (P, "/" + "a" * 200 + "/{a}", "at most 200"),
            (CART, "/x?" + "&".join(f"a{n}=1" for n in range(6)), "At most 5"),
        ],
    )
    def test_that_cannot_be_read_says_why(self, kind: UrlKind, pattern: str, words: str) -> None:
        with pytest.raises(InvalidPattern, match=words):
            compile_rule(UrlRule(kind, pattern))


class TestAReader:
    def test_takes_the_first_that_fits(self) -> None:
        rules = [(IGNORED, "/products/gift-card"), (P, "/products/{slug}")]

        assert read("/products/gift-card", *rules).kind is PageKind.IGNORED
        assert read("/products/a", *rules).kind is PageKind.PRODUCT
        assert read("/products/gift-card", *reversed(rules)).kind is PageKind.PRODUCT

    def test_reads_what_none_fits_by_its_words(self) -> None:
        rules = [(P, "/hats/{slug}")]

        assert read("/products/a", *rules) == Page(PageKind.PRODUCT, "/products/a")
        assert read("add to cart", *rules).kind is PageKind.CART
        assert read("/search?q=hat", *rules) == Page(PageKind.SEARCH, "hat")

    @given(st.text(max_size=80))
    def test_without_patterns_reads_as_before(self, address: str) -> None:
        assert PageReader().page(address) == matching.page_kind(address)
        assert PageReader().catalogue_key(address) == matching.catalogue_key(address)

    def test_gives_a_product_and_its_page_one_key(self) -> None:
        reader = PageReader([UrlRule(P, "/**/sw{number}"), UrlRule(P, "/{category}/{slug}.html")])
        for address in ("/a/b/SW12", "/de/hats/felt.html", "/products/x", "/other/page"):
            assert reader.catalogue_key(f"https://shop.example.com{address}?utm=1") == reader.page(address).key

    @settings(max_examples=300)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(list(UrlKind)),
                st.text("/ab*{}?=&.%ä", max_size=25).map(lambda text: "/" + text),
            ),
            max_size=6,
        ),
        st.text("/ab.?=&#%ä\x00", max_size=60).map(lambda text: "/" + text),
    )
    def test_answers_whatever_people_and_shoppers_write(self, written: list[tuple[UrlKind, str]], address: str) -> None:
        rules = []
        for kind, pattern in written:
            try:
                compile_rule(UrlRule(kind, pattern))
            except InvalidPattern:
                continue
            rules.append(UrlRule(kind, pattern))

        page = PageReader(rules).page(address)

        assert len(page.key) <= matching.KEY_LENGTH
        assert "\x00" not in page.key
        assert isinstance(PageReader(rules).catalogue_key(address), str)

    def test_takes_no_longer_for_an_address_made_to_be_slow(self) -> None:
        reader = PageReader(UrlRule(P, f"/**/a{number}*b/{{slug}}") for number in range(100))

        assert reader.page("/" + "a/" * 2_000).kind is PageKind.OTHER
        assert reader.page("/" + "a" * 100_000 + "?" + "&" * 100_000).kind is PageKind.OTHER


class TestPresets:
    @pytest.mark.parametrize(
        ("shop", "address", "kind", "key"),
        [
            (
                "shopify",
                "/collections/frontpage/products/wool-scarf?variant=1",
                PageKind.PRODUCT,
                "/products/wool-scarf",
            ),
            ("shopify", "/products/wool-scarf", PageKind.PRODUCT, "/products/wool-scarf"),
            ("shopify", "/collections/wool", PageKind.CATEGORY, "wool"),
            ("shopify", "/cart/change", PageKind.CART, "/cart/change"),
            ("shopify", "/checkouts/cn/1", PageKind.CHECKOUT, "/checkouts/cn/1"),
            ("shopify", "/blogs/news/hats", PageKind.CONTENT, "/blogs/news/hats"),
            ("shopify", "/account/login", PageKind.IGNORED, ""),
            ("shopify", "/search?q=hat", PageKind.SEARCH, "hat"),
            ("woocommerce", "/product/wool-scarf/", PageKind.PRODUCT, "/product/wool-scarf"),
            ("woocommerce", "/product-category/clothing/hats/", PageKind.CATEGORY, "hats"),
            ("woocommerce", "/?s=hat&post_type=product", PageKind.SEARCH, "hat"),
            ("woocommerce", "/checkout/order-received/12/", PageKind.CHECKOUT, "/checkout/order-received/12"),
            ("woocommerce", "/wp-admin/admin-ajax.php", PageKind.IGNORED, ""),
            ("shopware", "/Wool-Scarf/SW10001", PageKind.PRODUCT, "/wool-scarf/sw10001"),
            ("shopware", "/detail/0190a", PageKind.PRODUCT, "/detail/0190a"),
            ("shopware", "/checkout/cart", PageKind.CART, "/checkout/cart"),
            ("shopware", "/checkout/confirm", PageKind.CHECKOUT, "/checkout/confirm"),
            ("shopware", "/navigation/0190b", PageKind.CATEGORY, "0190b"),
        ],
    )
    def test_fit_the_shops_they_are_for(self, shop: str, address: str, kind: PageKind, key: str) -> None:
        assert PageReader(PRESETS[shop].rules).page(address) == Page(kind, key)


class TestAStoresPatterns:
    def test_are_read_once_and_known_again_when_they_change(
        self, project: Project, django_assert_num_queries: Any
    ) -> None:
        rule = UrlRule(P, "/hats/{slug}")
        with django_assert_num_queries(1):
            for _ in range(3):
                first = catalog_services.page_reader(project_id=project.pk)
        catalog_services.save_patterns(project=project, rules=[rule], saved_by="Ida")

        second = catalog_services.page_reader(project_id=project.pk)

        assert first.page("/hats/a").kind is PageKind.OTHER
        assert second.page("/hats/a").kind is PageKind.PRODUCT

    def test_of_another_process_are_known_within_a_second(self, project: Project, monkeypatch: Any) -> None:
        before = catalog_services.page_reader(project_id=project.pk)
        UrlPatterns.objects.create(
            project=project, version=1, patterns=[{"kind": "product", "pattern": "/hats/{slug}"}]
        )
        assert catalog_services.page_reader(project_id=project.pk) is before

        monkeypatch.setattr(service, "REMEMBERED_SECONDS", 0)
        after = catalog_services.page_reader(project_id=project.pk)

        assert after.page("/hats/a").kind is PageKind.PRODUCT
        assert catalog_services.page_reader(project_id=project.pk) is after, "compiled once a version"

    def test_are_a_new_version_only_when_they_differ(self, project: Project) -> None:
        rules = [UrlRule(P, " /hats/{slug} ")]
        for _ in range(2):
            saved = catalog_services.save_patterns(project=project, rules=rules, saved_by="Ida")

        assert (saved.version, saved.patterns) == (1, [{"kind": "product", "pattern": "/hats/{slug}"}])
        assert catalog_services.patterns_of(project=project) == [UrlRule(P, "/hats/{slug}")]

    def test_are_refused_whole_when_one_cannot_be_read(self, project: Project) -> None:
        with pytest.raises(InvalidPattern):
            catalog_services.save_patterns(project=project, rules=[UrlRule(P, "/a/{x}"), UrlRule(P, "b")], saved_by="")
        with pytest.raises(InvalidPattern, match="At most"):
            catalog_services.save_patterns(
                project=project, rules=[UrlRule(CART, "/a")] * (MOST_PATTERNS + 1), saved_by=""
            )

        assert not UrlPatterns.objects.exists()

    def test_say_under_which_key_the_catalogue_keeps_a_product(self, project: Project) -> None:
        catalog_services.save_patterns(project=project, rules=[UrlRule(P, "/detail?id={n}")], saved_by="")

        assert (
            catalog_services.page_reader(project_id=project.pk).catalogue_key("https://s.example/detail?id=7")
            == "/detail?id=7"
        )
