"""A shop's API on the loopback interface: it answers what a test recorded, page by page, and refuses when told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Json = dict[str, Any]
PAGE = 2


@dataclass
class ShopServer:
    """What the shop has, what it was asked, and what goes wrong next (`failures` are used up one by one)."""

    token: str = "shpat_test"
    domain: str = "nordlicht-test.myshopify.com"
    orders: list[Json] = field(default_factory=list)
    customers: list[Json] = field(default_factory=list)
    products: list[Json] = field(default_factory=list)
    subscriptions: list[Json] = field(default_factory=list)
    refused_topics: set[str] = field(default_factory=set)
    failures: list[Callable[[], tuple[int, dict[str, str], Any]]] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    available: int = 900
    origin: str = ""

    def answer(self, path: str, headers: Any, said: Json) -> tuple[int, dict[str, str], Any]:
        self.asked.append({"path": path, **said})
        if self.failures:
            return self.failures.pop(0)()
        if path == "/admin/oauth/access_token":
            is_right = (said.get("client_id"), said.get("client_secret")) == ("client-1", "shpss_0123456789abcdef")
            return (200, {}, {"access_token": self.token, "expires_in": 86_399}) if is_right else (400, {}, {})
        if path != "/admin/api/2026-10/graphql.json":
            return 404, {}, {"errors": "Not Found"}
        if headers.get("X-Shopify-Access-Token") != self.token:
            return 401, {}, {"errors": "[API] Invalid API key or access token"}
        return 200, {}, {"data": self._data(said["query"], said["variables"]), "extensions": self._cost()}

    def _data(self, query: str, variables: Json) -> Json:
        if "webhookSubscriptionCreate" in query:
            return {"webhookSubscriptionCreate": self._subscribe(variables)}
        if "webhookSubscriptions" in query:
            return {"webhookSubscriptions": _page(self.subscriptions, variables, size=100)}
        for name in ("orders", "customers", "products"):
            rows = [row for row in getattr(self, name) if _is_since(row, variables.get("search"))]
            if f"{name}Count" in query:
                return {f"{name}Count": {"count": len(rows)}}
            if f"{name}(" in query:
                return {name: _page(rows, variables)}
        return {"shop": {"name": "Nordlicht", "myshopifyDomain": self.domain, "currencyCode": "EUR"}}

    def _subscribe(self, variables: Json) -> Json:
        if variables["topic"] in self.refused_topics:
            error = {"field": ["topic"], "message": "Address for this topic has already been taken"}
            return {"webhookSubscription": None, "userErrors": [error]}
        row = {"id": f"gid://shopify/WebhookSubscription/{len(self.subscriptions) + 1}"}
        self.subscriptions.append(row | {"topic": variables["topic"], "uri": variables["address"]})
        return {"webhookSubscription": row, "userErrors": []}

    def _cost(self, asked: int = 100) -> Json:
        bucket = {"maximumAvailable": 1000.0, "currentlyAvailable": self.available, "restoreRate": 50.0}
        return {"cost": {"requestedQueryCost": asked, "actualQueryCost": 80, "throttleStatus": bucket}}

    def throttled(self) -> tuple[int, dict[str, str], Any]:
        """Refuse as the API does when its bucket is empty: with a 200."""
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        bucket = {"maximumAvailable": 1000.0, "currentlyAvailable": 20, "restoreRate": 50.0}
        return (
            200,
            {},
            {"errors": [error], "extensions": {"cost": {"requestedQueryCost": 520, "throttleStatus": bucket}}},
        )


def too_many() -> tuple[int, dict[str, str], Any]:
    return 429, {"Retry-After": "7.0"}, {"errors": "Exceeded limit"}


def broken() -> tuple[int, dict[str, str], Any]:
    return 502, {}, "<html>Bad gateway</html>"


def no_scope() -> tuple[int, dict[str, str], Any]:
    error = {"message": "Access denied for orders field.", "extensions": {"code": "ACCESS_DENIED"}}
    return 200, {}, {"data": {"orders": None}, "errors": [error]}


def _is_since(row: Json, search: str | None) -> bool:
    return not search or row["updatedAt"] >= search.split("'")[1]


def _page(rows: list[Json], variables: Json, size: int = PAGE) -> Json:
    start = int(variables.get("cursor") or 0)
    found = sorted(rows, key=lambda row: row.get("updatedAt", row["id"]))[start : start + size]
    following = start + len(found)
    return {"nodes": found, "pageInfo": {"hasNextPage": following < len(rows), "endCursor": str(following)}}


@contextmanager
def running(shop: ShopServer) -> Iterator[ShopServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, said = shop.answer(self.path, self.headers, json.loads(body))
            raw = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    shop.origin = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
