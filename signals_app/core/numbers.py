"""Numbers as people read them."""

from __future__ import annotations


def percent(share: float, decimals: int = 0) -> str:
    """Write a share of one in per cent, as everywhere on the pages: 0.8 is "80 %"."""
    return f"{share * 100:.{decimals}f} %"
