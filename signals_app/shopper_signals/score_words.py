"""The parts of a score as sentences for a marketer, each with its points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from signals_app.core.numbers import percent
from signals_app.shopper_signals.outlook import Outlook


class Contribution(NamedTuple):
    """One part of a score, in a marketer's words; `points` may be negative, `detail` is a sentence that says them."""

    name: str
    points: float
    detail: str


def contributions(outlook: Outlook, points: Sequence[float]) -> list[Contribution]:
    """Return those parts of `Outlook.points` that make a difference."""
    said = []
    for (name, say), exact in zip(PARTS, points, strict=True):
        if rounded := round(exact, 2):
            change = f"adds {rounded:.1f}" if rounded > 0 else f"takes away {-rounded:.1f}"
            said.append(Contribution(name, rounded, f"{say(outlook)} {change} points."))
    return said


def _activity(outlook: Outlook) -> str:
    return f"A visit with {_number(outlook.events)} {_plural('event', outlook.events)}, as it counts today,"


def _products(outlook: Outlook) -> str:
    if outlook.products >= 1.5:
        return f"Looking at {outlook.products:.0f} different products in one visit"
    return "Looking at a product" if outlook.products >= 0.5 else "Products looked at some time ago"


def _cart(outlook: Outlook) -> str:
    return "Visiting the cart or checkout" if outlook.cart >= 0.5 else "A visit to the cart or checkout some time ago"


def _time(outlook: Outlook) -> str:
    return (
        f"Time spent (index {_number(outlook.performance)}, where {_number(outlook.usual_performance)} is usual "
        "in this store)"
    )


def _back(outlook: Outlook) -> str:
    return f"Coming back on {outlook.days(0.0)} of the last 7 days"


def _stay(outlook: Outlook) -> str:
    return f"An exit likelihood of {percent(outlook.mean_drop or 0)} on average"


def _few_loops(outlook: Outlook) -> str:
    return f"Little back-and-forth ({percent(outlook.loops_ratio or 0)} of the usual level)"


def _few_dead_clicks(outlook: Outlook) -> str:
    return f"Few dead clicks ({percent(outlook.dead_click_ratio or 0)} of the usual level)"


def _dead_clicks(outlook: Outlook) -> str:
    return f"Dead clicks ({_number(outlook.dead_click_excess or 0)} a signal more than usual)"


def _loops(outlook: Outlook) -> str:
    ratio = outlook.loops_ratio or 0
    return f"Back-and-forth ({'far above' if ratio >= 100 else f'{ratio:.1f} times'} the usual level)"


PARTS: tuple[tuple[str, Callable[[Outlook], str]], ...] = (
    ("Activity", _activity),
    ("Products viewed", _products),
    ("Cart", _cart),
    ("Time spent", _time),
    ("Came back", _back),
    ("Likely to stay", _stay),
    ("Little back-and-forth", _few_loops),
    ("Few dead clicks", _few_dead_clicks),
    ("Dead clicks", _dead_clicks),
    ("Back-and-forth", _loops),
)


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 9.95 else f"{amount:.1f}".removesuffix(".0")


def _plural(noun: str, amount: float) -> str:
    return noun if _number(amount) == "1" else f"{noun}s"
