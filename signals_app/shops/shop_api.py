"""What we ask of a shop's API, whoever answers: the program asks through this, a test answers it from a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from signals_app.shops.constants import Resource


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what is listed; `cursor` is where the next page begins, empty if this is the last."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    cursor: str = ""
    wait_seconds: float = 0.0
    """How long to leave the API alone before the next page, so that it does not have to refuse it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic that the shop posts to an address; `topic` is written as in a webhook's header."""

    id: str
    topic: str
    address: str


@dataclass(frozen=True, slots=True)
class ShopSaid:
    """What a shop says of itself."""

    name: str
    domain: str
    currency: str


class ShopApi(Protocol):
    """
    Every method may raise `ShopThrottled`, `ShopUnavailable` (try again later) or `ShopRefused` (a person must act).
    """

    def shop(self) -> ShopSaid: ...

    def count(self, resource: Resource, *, since: datetime | None) -> int | None:
        """Return how many there are, or None if that cannot be said."""

    def page(self, resource: Resource, *, since: datetime | None, cursor: str) -> Page:
        """Return a page of what changed since a moment (None: ever), oldest change first."""

    def subscriptions(self) -> list[Subscription]: ...

    def subscribe(self, topics: Sequence[str], *, address: str) -> dict[str, str]:
        """Have topics posted to an address; return {topic: why not} of those that the shop refuses."""
