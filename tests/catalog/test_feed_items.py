from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.catalog import feed_items
from tests.catalog.conftest import NOW

ATTRIBUTES = ("id", "title", "link", "image_link", "price", "sale_price", "availability", "brand", "product_type")


class TestAPrice:
    @pytest.mark.parametrize(
        ("text", "amount", "currency"),
        [
            ("19.90 EUR", "19.90", "EUR"),
            ("EUR 19.90", "19.90", "EUR"),
            ("19,90 €", "19.90", "EUR"),
            ("£5", "5.00", "GBP"),
            ("1.299,00 EUR", "1299.00", "EUR"),
            ("1,299.00 USD", "1299.00", "USD"),
            ("1,299 USD", "1299.00", "USD"),
            ("1.299.000 IDR", "1299000.00", "IDR"),
            ("12 345,50 SEK", "12345.50", "SEK"),
            ("1'299.50 CHF", "1299.50", "CHF"),
            ("0 EUR", "0.00", "EUR"),
            ("19.9", "19.90", "NOK"),
        ],
    )
    def test_is_read_in_either_notation(self, text: str, amount: str, currency: str) -> None:
        assert feed_items.read_price(text, currency="NOK") == (Decimal(amount), currency)

    @pytest.mark.parametrize(
        "text", ["", "free", "-5 EUR", "NaN", "1e5 EUR", "9" * 40, "99999999999 EUR", "5 euros", "."]
    )
    def test_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="price"):
            feed_items.read_price(text, currency="EUR")

    @given(st.decimals(0, 9_999_999, places=2, allow_nan=False))
    def test_survives_being_written_as_the_documentation_says(self, amount: Decimal) -> None:
        assert feed_items.read_price(f"{amount} EUR", currency="USD") == (amount, "EUR")


@given(st.dictionaries(st.sampled_from(ATTRIBUTES), st.text(max_size=400)))
def test_any_cells_make_an_item_that_fits_its_columns_or_problems(cells: dict[str, str]) -> None:
    item, problems = feed_items.read_item(cells, currency="EUR", now=NOW)

    if item is None:
        assert {"id", "title", "link"} & set(problems)
        return
    assert item.sku
    assert item.title
    assert item.url.startswith(("http://", "https://"))
    assert len(item.sku) <= 100
    assert len(item.title) <= 300
    assert item.title.isprintable()
    assert item.price is None or item.price >= 0
