"""Prices as people read them."""

from __future__ import annotations

from decimal import Decimal

_SYMBOLS = {"AUD": "A$", "CAD": "C$", "EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}
_WITHOUT_CENTS = frozenset(["CLP", "HUF", "ISK", "JPY", "KRW", "VND"])


def money_text(amount: Decimal | None, currency: str) -> str:
    """Return "€1,249.90" or "49.90 CHF", and an empty text for an unknown amount."""
    if amount is None:
        return ""
    number = f"{amount:,.0f}" if currency in _WITHOUT_CENTS else f"{amount:,.2f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency}".strip()
