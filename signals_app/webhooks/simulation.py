"""
Shoppers of a made-up shop and what Insightarc would report of them: pure, seeded, with explicit times.

A visit goes through pages; after each few, the sender reports the visit so far, as its documentation describes: the
probability that the shopper leaves next, events, loops, dead clicks with the shop's averages, and the pages seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

DEFAULT_SEED = 1
AVERAGE_LOOPS = 1.2
AVERAGE_DEAD_CLICKS = 0.3
PAGES_REPORTED = 12
FIRST_NAMES = ("Anna", "Ben", "Chloé", "David", "Elif", "Finn", "Greta", "Hugo", "Ida", "Jonas", "Klara", "Luca", "Mia")
LAST_NAMES = ("Ahrens", "Berg", "Costa", "Dietz", "Eklund", "Falk", "Graf", "Holm", "Ilic", "Jansen", "Krüger", "Lund")


class Scenario(StrEnum):
    BROWSING = "browsing"
    COMPARING = "comparing"
    HESITATING = "hesitating"
    BROKEN_BUTTON = "broken_button"
    LEAVING = "leaving"
    COMING_BACK = "coming_back"
    BUYING = "buying"


SHARES = {
    Scenario.BROWSING: 44,
    Scenario.COMPARING: 18,
    Scenario.HESITATING: 8,
    Scenario.BROKEN_BUTTON: 5,
    Scenario.LEAVING: 14,
    Scenario.COMING_BACK: 3,
    Scenario.BUYING: 8,
}


@dataclass(frozen=True)
class ShopProduct:
    path: str
    title: str
    price: str
    category: str


@dataclass(frozen=True)
class Shop:
    url: str
    products: tuple[ShopProduct, ...]


@dataclass(frozen=True)
class Shopper:
    number: int
    name: str
    email: str
    user_id: str
    anonymous_id: str
    is_logged_in: bool
    """Whether the shop tells Insightarc who it is; others are known by a visitor ID only."""
    has_consented: bool
    category: str
    """What they come for, most of the time."""

    @property
    def identity(self) -> dict[str, str]:
        known = {"user_id": self.user_id, "email": self.email} if self.is_logged_in else {}
        return known | {"anonymous_id": self.anonymous_id}


@dataclass(frozen=True)
class Posting:
    """One signal: what is posted, and when."""

    at: datetime
    shopper: Shopper
    body: dict[str, Any]


@dataclass(frozen=True)
class Purchase:
    """What the shop, not Insightarc, knows: an order."""

    at: datetime
    shopper: Shopper
    order_id: str
    products: tuple[ShopProduct, ...]

    @property
    def total(self) -> str:
        return str(sum(Decimal(product.price) for product in self.products))


Event = Posting | Purchase


def shopper(number: int, *, seed: int, shop: Shop) -> Shopper:
    """Return the shopper of that number; the same seed and number are always the same person."""
    luck = random.Random(f"{seed}/shopper/{number}")  # noqa: S311 - a simulation, not a secret
    first, last = luck.choice(FIRST_NAMES), luck.choice(LAST_NAMES)
    is_logged_in = luck.random() < 0.75
    return Shopper(
        number=number,
        name=f"{first} {last}",
        email=f"shopper{number}@example.com",
        user_id=f"N{10_000 + number}",
        anonymous_id=f"v-{luck.getrandbits(48):012x}",
        is_logged_in=is_logged_in,
        has_consented=is_logged_in and luck.random() < 0.7,
        category=luck.choice(sorted({product.category for product in shop.products})),
    )


def history(*, seed: int, shop: Shop, shoppers: int, start: datetime, end: datetime) -> Iterator[Event]:
    """
    Yield what happens between `start` and `end`, in order of time.

    Each shopper comes every few days, some more often; a third come only once, some return after a long silence.
    """
    events = [
        event
        for number in range(shoppers)
        for visit_at, luck in _visits(number, seed=seed, start=start, end=end)
        for event in visit(shopper(number, seed=seed, shop=shop), shop=shop, at=visit_at, luck=luck)
        if event.at < end
    ]
    yield from sorted(events, key=lambda event: (event.at, event.shopper.number))


def _visits(number: int, *, seed: int, start: datetime, end: datetime) -> Iterator[tuple[datetime, random.Random]]:
    luck = random.Random(f"{seed}/visits/{number}/{start:%Y-%m-%d}")  # noqa: S311
    days_between = luck.choice((2.5, 4, 7, 7, 12, 60))
    at = start + timedelta(days=luck.uniform(0, min(days_between, (end - start).days)))
    while at < end:
        moment = at.replace(hour=_hour(luck), minute=luck.randrange(60), second=luck.randrange(60))
        if start <= moment < end:
            yield moment, luck
        at += timedelta(days=max(0.6, luck.expovariate(1 / days_between)))


def _hour(luck: random.Random) -> int:
    return min(23, max(7, round(luck.gauss(17, 4))))


def visit(
    person: Shopper, *, shop: Shop, at: datetime, luck: random.Random, scenario: Scenario | None = None
) -> Iterator[Event]:
    """
    Yield one visit of a shopper: its signals a minute or two apart, and the order if they buy.

    Who comes back does so in a second visit, after having left; some of them buy then.
    """
    plan = scenario or luck.choices(list(SHARES), weights=list(SHARES.values()))[0]
    if plan == Scenario.COMING_BACK:
        second = luck.choice((Scenario.COMPARING, Scenario.BUYING))
        yield from visit(person, shop=shop, at=at, luck=luck, scenario=Scenario.LEAVING)
        yield from visit(person, shop=shop, at=at + timedelta(minutes=25), luck=luck, scenario=second)
        return
    story = _Visit(person, shop, plan, luck)
    session_id = f"s-{luck.getrandbits(40):010x}"
    for report in range(1, story.length + 1):
        at += timedelta(seconds=luck.randint(40, 150))
        yield Posting(at, person, story.body(report) | person.identity | {"session_id": session_id})
    if plan == Scenario.BUYING:
        yield Purchase(at + timedelta(seconds=60), person, f"{session_id[2:].upper()}", story.basket)


class _Visit:
    """The numbers of one visit as they grow from report to report."""

    def __init__(self, person: Shopper, shop: Shop, plan: Scenario, luck: random.Random) -> None:
        self.shop, self.plan, self.luck = shop, plan, luck
        self.length = {Scenario.BROWSING: luck.randint(1, 3), Scenario.LEAVING: 4}.get(plan, luck.randint(3, 5))
        self.products = _products_of_interest(person, shop, luck, count=1 if plan == Scenario.HESITATING else 4)
        self.basket = self.products[: luck.randint(1, 2)]
        self.pages = [self.shop.url, f"{self.shop.url}/collections/{_slug(self.products[0].category)}"]
        self.events = self.loops = self.dead_clicks = 0

    def body(self, report: int) -> dict[str, Any]:
        """Return the documented body after the `report`-th part of the visit."""
        self.events += self.luck.randint(1, 2) if self.plan == Scenario.BROWSING else self.luck.randint(4, 7)
        self.pages.append(self._next_page(report))
        if self.plan == Scenario.HESITATING:
            self.loops += self.luck.randint(1, 2)
            self.pages.append("Größe gewählt")
        if self.plan == Scenario.BROKEN_BUTTON and report >= 2:
            self.dead_clicks += 1
        return {
            "drop_proba": round(self._drop_probability(report), 2),
            "perfomance": round(0.3 + 0.15 * self.events * self.luck.uniform(0.7, 1.1), 2),
            "num_events": self.events,
            "num_loops": self.loops,
            "num_broken_buttons": self.dead_clicks,
            "avg_loops": AVERAGE_LOOPS,
            "avg_broken_buttons": AVERAGE_DEAD_CLICKS,
            "relevant_events": [{"name": page} for page in self.pages[-PAGES_REPORTED:]],
        }

    def _next_page(self, report: int) -> str:
        if self.plan in {Scenario.BUYING, Scenario.LEAVING} and report >= self.length - 1:
            return f"{self.shop.url}/{'checkout' if self.plan == Scenario.BUYING and report == self.length else 'cart'}"
        product = self.products[(report - 1) % len(self.products)]
        locale = self.luck.choice(("", "", "/de", "/en"))
        return f"{self.shop.url}{locale}{product.path}"

    def _drop_probability(self, report: int) -> float:
        nearly_over = report / self.length
        low, high = {
            Scenario.BROWSING: (0.2, 0.65),
            Scenario.COMPARING: (0.15, 0.55),
            Scenario.HESITATING: (0.3, 0.75),
            Scenario.BROKEN_BUTTON: (0.2, 0.85),
            Scenario.LEAVING: (0.35, 0.95),
            Scenario.BUYING: (0.25, 0.06),
        }[self.plan]
        return min(1.0, max(0.0, low + (high - low) * nearly_over + self.luck.uniform(-0.03, 0.03)))


def _products_of_interest(person: Shopper, shop: Shop, luck: random.Random, *, count: int) -> tuple[ShopProduct, ...]:
    liked = [product for product in shop.products if product.category == person.category]
    others = [product for product in shop.products if product.category != person.category]
    luck.shuffle(liked)
    luck.shuffle(others)
    return tuple([*liked, *others][:count])


def _slug(category: str) -> str:
    return category.split(" > ")[-1].lower().replace(" ", "-")


def default_shop(url: str) -> Shop:
    """Return the outdoor shop that the demo store's product feed describes, at `url`."""
    wares = (
        ("storm-shell-jacket", "Storm Shell Jacket", "149.00", "Jackets"),
        ("alpine-down-jacket", "Alpine Down Jacket", "229.00", "Jackets"),
        ("merino-fleece", "Merino Fleece", "119.00", "Jackets"),
        ("ridge-hiking-boots", "Ridge Hiking Boots", "199.00", "Boots"),
        ("winter-boots", "Winter Boots", "139.00", "Boots"),
        ("trail-runner-shoes", "Trail Runner Shoes", "129.00", "Running"),
        ("summit-backpack-45l", "Summit Backpack 45 l", "159.00", "Backpacks"),
        ("city-daypack-20l", "City Daypack 20 l", "79.00", "Backpacks"),
        ("two-person-tent", "Two-Person Tent", "299.00", "Tents"),
        ("family-tent", "Family Tent", "599.00", "Tents"),
        ("down-sleeping-bag", "Down Sleeping Bag", "259.00", "Sleeping"),
        ("sleeping-mat", "Sleeping Mat", "89.00", "Sleeping"),
        ("cafe-hammock", "Hammock “Café”", "69.00", "Sleeping"),
        ("gas-stove", "Gas Stove", "54.90", "Kitchen"),
        ("thermo-mug", "Thermo Mug", "24.90", "Kitchen"),
        ("steel-bottle-1l", "Steel Bottle 1 l", "34.90", "Kitchen"),
        ("wool-beanie", "Wool Beanie", "29.90", "Winter"),
        ("wool-scarf", "Wool Scarf", "39.90", "Winter"),
        ("touch-gloves", "Touch Gloves", "24.90", "Winter"),
        ("merino-socks", "Merino Socks", "26.90", "Socks"),
        ("carbon-poles", "Carbon Poles", "119.00", "Poles"),
        ("headlamp-400", "Headlamp 400", "49.90", "Light"),
        ("trekking-trousers", "Trekking Trousers", "99.00", "Trousers"),
        ("glacier-sunglasses", "Glacier Sunglasses", "89.00", "Sun"),
    )
    return Shop(url.rstrip("/"), tuple(ShopProduct(f"/products/{slug}", *rest) for slug, *rest in wares))
