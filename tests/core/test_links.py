from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.core.links import safe_shop_url

SHOP = "https://shop.example/store/"
DOMAINS = ["help.shop.example"]


def safe(url: str) -> str | None:
    return safe_shop_url(url, shop_url=SHOP, domains=DOMAINS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/products/scarf", "https://shop.example/products/scarf"),
        ("http://shop.example/products/scarf", "http://shop.example/products/scarf"),
        ("https://www.shop.example/p/1?color=red#top", "https://www.shop.example/p/1?color=red#top"),
        ("https://HELP.shop.example", "https://help.shop.example/"),
        ("https://shop.example./a", "https://shop.example/a"),
        ("https://shop.example:443/a", "https://shop.example:443/a"),
        ("/products/wool-scarf?variant=2", "https://shop.example/products/wool-scarf?variant=2"),
        ("//shop.example/a", "https://shop.example/a"),
        ("/products/schöner-schal", "https://shop.example/products/sch%C3%B6ner-schal"),
        ('/p/"><script>', "https://shop.example/p/%22%3E%3Cscript%3E"),
        ("/p/100%-wool", "https://shop.example/p/100%25-wool"),
        ("/p/a%20b", "https://shop.example/p/a%20b"),
    ],
)
def test_an_address_of_the_store_passes(url: str, expected: str) -> None:
    assert safe(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "https://evil.example",
        "https://shop.example@evil.example",
        "https://evil.example@shop.example",
        "https://shop.example:x@evil.example/",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "//evil",
        "//evil.example/shop.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://shop.example\\@evil",
        "https://shop.example\\.evil.example",
        "https://evil.example#@shop.example",
        "https://evil.example?shop.example",
        "https:evil.example",
        "https:///evil.example",
        "https://shop.example%2eevil.example",
        "https://shop.example:8080/",
        "https://shop.example:x/",
        "https://sh\u043ep.example/",
        "https://[::1]/",
        "https://[shop.example/",
        "ftp://shop.example/",
        "clicked button",
        "products/scarf",
        "/a b",
        "/a\x00b",
        "https://shop.example/" + "a" * 2_000,
    ],
)
def test_anything_else_does_not(url: str) -> None:
    assert safe(url) is None


def test_the_shops_own_port_passes() -> None:
    url = safe_shop_url("/demo/products/a", shop_url="http://127.0.0.1:8000/demo/", domains=[])

    assert url == "http://127.0.0.1:8000/demo/products/a"


def test_a_store_without_a_readable_address_links_nowhere() -> None:
    assert safe_shop_url("/products/a", shop_url="http://[", domains=[]) is None
    assert safe_shop_url("/products/a", shop_url="", domains=[]) is None


@given(st.one_of(st.text(), st.text(alphabet="htps:/\\@.?#%evilshopexam-1[]", max_size=60)))
def test_whatever_comes_out_is_plain_and_on_the_stores_hosts(url: str) -> None:
    result = safe(url)

    if result is not None:
        parts = urlsplit(result)
        assert parts.scheme in ("http", "https")
        assert parts.hostname in ("shop.example", "www.shop.example", "help.shop.example", "www.help.shop.example")
        assert result.isascii()
        assert not set(result) & set("\"<>\\@ \n\r\t'") - {"@", "'"}
        assert safe(result) == result
