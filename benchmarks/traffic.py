"""Made-up signals of a shop, each with a number: the same number is always the same bytes, another number others."""

from __future__ import annotations

import base64
import hmac
from typing import Any

PRODUCTS = tuple(
    f"/products/{adjective}-{noun}"
    for adjective in ("alpine", "merino", "trail", "summit", "storm", "glacier")
    for noun in ("jacket", "scarf", "boots", "tent", "backpack", "poles", "socks", "beanie")
)
SIGNALS_A_SHOPPER = 5
"""Signals that a shopper has in the mean, where nothing else is said."""

_BODY = (
    '{"drop_proba":%.3f,"perfomance":%.2f,"num_events":%d,"num_loops":%d,"num_broken_buttons":%d,"avg_loops":%.1f,'
    '"avg_broken_buttons":%.1f,"relevant_events":[%s],"user_id":"u%d","email":"u%d@shopper.example","page_load":%d}'
)
_HEAD = (
    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "x-insightarc-signature: %s\r\nContent-Length: %d\r\n\r\n"
)


def shopper_of(number: int, *, shoppers: int) -> int:
    """
    Return whose signal this is, from 0 to `shoppers` - 1.

    They take turns, since there are seconds between two signals of one shopper: within a batch nobody comes twice,
    unless there are more signals than shoppers.
    """
    return number % shoppers


def body(number: int, *, shoppers: int) -> bytes:
    """Return the documented body with a customer ID and an e-mail address, as the sender would print it."""
    luck = _mixed(number)
    shopper = shopper_of(number, shoppers=shoppers)
    pages = [PRODUCTS[(shopper + step * (luck & 7)) % len(PRODUCTS)] for step in range(1 + luck % 3)]
    if luck % 11 == 0:
        pages.append("/cart")
    events = ",".join(f'{{"name":"{page}"}}' for page in pages)
    text = _BODY % (
        (luck >> 8) % 1001 / 1000,
        (luck >> 12) % 300 / 100,
        1 + (luck >> 16) % 40,
        (luck >> 20) % 5,
        1 if (luck >> 24) % 8 == 0 else 0,
        1.0 + (luck >> 28) % 15 / 10,
        (luck >> 32) % 5 / 10,
        events,
        shopper,
        shopper,
        number,
    )
    return text.encode("ascii")


def request(raw: bytes, *, path: str, secret: str, url: str) -> bytes:
    """Return a whole HTTP/1.1 request that posts `raw`, signed for the webhook registered as `url`."""
    digest = base64.b64encode(hmac.digest(secret.encode(), raw + url.encode(), "sha1")).decode()
    return (_HEAD % (path, digest, len(raw))).encode("ascii") + raw


def triggers(count: int) -> list[tuple[str, dict[str, Any]]]:
    """
    Return (name, condition tree) of that many automations' triggers.

    Four in a hundred signals make the first hold and one in a hundred the eleventh; the others, all different, hold
    once in some hundred signals or never, as a store's collection of special cases does.
    """
    return [(f"Automation {number:03d}", {"all": _conditions(number)}) for number in range(count)]


def _conditions(number: int) -> list[dict[str, Any]]:
    step = number // 10
    if number == 0:
        return [_leaf("drop_proba", "gte", 0.8), _leaf("num_events", "gte", 32), _leaf("products_viewed", "gte", 1)]
    if number == 10:
        return [_leaf("num_broken_buttons", "gte", 1), _leaf("drop_proba", "gte", 0.9), _leaf("num_events", "gte", 3)]
    kinds: list[list[dict[str, Any]]] = [
        [_leaf("drop_proba", "gte", 0.995), _leaf("num_events", "gte", 36 + step % 4), _leaf("num_loops", "gte", 3)],
        [_leaf("intent_score", "gte", 97 - step % 3), _leaf("drop_proba", "gte", 0.9)],
        [_leaf("num_broken_buttons", "gte", 2 + step), _leaf("dead_clicks_over_usual", "gt", 0)],
        [_leaf("num_loops", "gte", 5 + step), _leaf("loops_ratio", "gte", 1.5), _leaf("drop_proba", "gte", 0.5)],
        [_leaf("days_since_previous_signal", "gte", 30 + step), {"field": "has_interest", "op": "is_true"}],
        [_leaf("viewed_product_keys", "contains", f"/products/rare-{number}"), _leaf("num_events", "gte", 2)],
        [_leaf("stage", "eq", "bought_recently"), {"field": "visited_cart", "op": "is_true"}],
        [_leaf("performance_percentile", "gte", 99.9), _leaf("products_viewed", "gte", 4 + step)],
        [_leaf("most_views_of_one_product", "gte", 4 + step), _leaf("drop_proba", "lt", 0.3)],
        [_leaf("num_events", "gte", 60 + step), {"field": "is_clean", "op": "is_true"}],
    ]
    return kinds[number % 10]


def _leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def _mixed(number: int) -> int:
    """Return 64 bits that look like chance and are the same each time (the finaliser of SplitMix64)."""
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 31)
