"""Numbers as people read and write them."""

from __future__ import annotations


def percent(share: float, decimals: int = 0) -> str:
    """Write a share of one in per cent, as everywhere on the pages: 0.8 is "80 %"."""
    return f"{share * 100:.{decimals}f} %"


def with_point(digits: str) -> str:
    """
    Return a number in either notation with a point as its decimal mark: of 1,299.90 and 1.299,90, "1299.90".

    What stands last of "." and "," is the mark; a comma alone before three digits parts thousands. Whether it is a
    number at all is for the caller to find out.
    """
    comma, point = digits.rfind(","), digits.rfind(".")
    is_mark = comma > point and digits.count(",") == 1 and (point >= 0 or len(digits) - comma - 1 != 3)
    return digits.replace(".", "").replace(",", ".") if is_mark else digits.replace(",", "")
