"""
Shopify's Admin API, asked in GraphQL: https://shopify.dev/docs/api/admin-graphql.

It counts points: a question costs some, a bucket of them refills by the second. What it refuses for that, it says with
`THROTTLED` in a 200 or with a 429; then nothing here waits, the caller is told for how long (`ShopThrottled`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from signals_app.core import http
from signals_app.shops import queries
from signals_app.shops.constants import API_VERSION, TOPICS, Resource
from signals_app.shops.exceptions import ShopRefused, ShopThrottled, ShopUnavailable
from signals_app.shops.shop_api import Page, ShopSaid, Subscription
from signals_app.shops.values import Json, part, parts, whole

SECONDS = 30.0
MAX_BYTES = 8 * 1024 * 1024
WAIT_WITHOUT_ADVICE = 5.0
LONGEST_WAIT = 300.0
ROOM_LEFT = 2
"""A page is asked for only while its price is there twice: other apps of the shop draw from buckets of their own."""
MOST_SUBSCRIPTION_PAGES = 10
"""Of a hundred each: far more than there are topics, and an end to a list that goes on for ever."""
REFUSALS = {
    401: "Shopify does not accept the access token. Paste a new one, or check client ID and secret.",
    402: "The shop is frozen: Shopify wants it to pay its bill.",
    403: "The app is not allowed to read this. Give it the permissions named below, and install it again.",
    404: "There is no shop at this domain, or it does not know this version of the API.",
    423: "Shopify has locked the shop.",
}


class GraphqlShopApi:
    """One shop, asked with one access token."""

    def __init__(self, *, origin: str, token: str) -> None:
        self._url = f"{origin}/admin/api/{API_VERSION}/graphql.json"
        self._token = token

    def shop(self) -> ShopSaid:
        said = part(self._ask(queries.SHOP, {})["data"].get("shop"))
        return ShopSaid(
            str(said.get("name", "")), str(said.get("myshopifyDomain", "")), str(said.get("currencyCode", ""))
        )

    def count(self, resource: Resource, *, since: datetime | None) -> int | None:
        answer = self._ask(queries.COUNTS[resource], {"search": _search(resource, since)})
        counted = part(answer["data"].get(f"{resource.value}Count")).get("count")
        return whole(counted) if isinstance(counted, int) else None

    def page(self, resource: Resource, *, since: datetime | None, cursor: str) -> Page:
        answer = self._ask(queries.PAGES[resource], {"cursor": cursor or None, "search": _search(resource, since)})
        listed = part(answer["data"].get(resource.value))
        info = part(listed.get("pageInfo"))
        following = str(info.get("endCursor") or "") if info.get("hasNextPage") is True else ""
        return Page([dict(node) for node in parts(listed.get("nodes"))], following, _pause(answer))

    def subscriptions(self) -> list[Subscription]:
        found: list[Subscription] = []
        cursor = ""
        for _ in range(MOST_SUBSCRIPTION_PAGES):
            answer = self._ask(queries.SUBSCRIPTIONS, {"cursor": cursor or None})
            listed = part(answer["data"].get("webhookSubscriptions"))
            found += [
                Subscription(str(node.get("id", "")), topic_of(str(node.get("topic", ""))), str(node.get("uri") or ""))
                for node in parts(listed.get("nodes"))
            ]
            info = part(listed.get("pageInfo"))
            cursor = str(info.get("endCursor") or "") if info.get("hasNextPage") is True else ""
            if not cursor:
                break
        return found

    def subscribe(self, topics: Sequence[str], *, address: str) -> dict[str, str]:
        refused = {}
        for topic in topics:
            try:
                answer = self._ask(queries.SUBSCRIBE, {"topic": enum_of(topic), "address": address})
            except ShopRefused as error:  # a permission that only this topic needs
                refused[topic] = str(error)
                continue
            done = part(answer["data"].get("webhookSubscriptionCreate"))
            if errors := parts(done.get("userErrors")):
                refused[topic] = "; ".join(str(error.get("message", "")) for error in errors)[:300]
        return refused

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the decoded answer, whose `data` is an object."""
        answer = _post(self._url, {"query": query, "variables": variables}, {"X-Shopify-Access-Token": self._token})
        errors = parts(answer.get("errors"))
        if any(part(error.get("extensions")).get("code") == "THROTTLED" for error in errors):
            raise ShopThrottled(_refill_seconds(answer))
        if any(part(error.get("extensions")).get("code") == "ACCESS_DENIED" for error in errors):
            raise ShopRefused(f"{REFUSALS[403]} ({_messages(errors)})"[:500])
        if errors:
            raise ShopRefused(f"Shopify does not understand the question: {_messages(errors)}"[:500])
        if not isinstance(answer.get("data"), dict):
            raise ShopUnavailable("Shopify answered without data.")
        return answer


def fetch_token(*, origin: str, client_id: str, client_secret: str) -> tuple[str, int]:
    """
    Return an access token and for how many seconds it holds, for an app's client ID and secret.

    Source: https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant.
    """
    form = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
    answer = _post(f"{origin}/admin/oauth/access_token", form, {})
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ShopRefused("Shopify gave no access token for this client ID and secret. Is the app installed?")
    return token, whole(answer.get("expires_in"), default=86_399)


def enum_of(topic: str) -> str:
    """Return a topic as the API writes it: "orders/create" is ORDERS_CREATE, "customer.tags_added" CUSTOMER_TAGS_ADDED."""
    return topic.replace("/", "_").replace(".", "_").upper()


def topic_of(enum: str) -> str:
    """Return the topic that the API writes so, as a webhook's header does; one that we do not know stays as it is."""
    return {enum_of(topic): topic for topic in TOPICS}.get(enum, enum.lower())


def _post(url: str, said: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    try:
        answer = http.request(
            "POST",
            url,
            json=said,
            headers={"Accept": "application/json", **headers},
            timeout=SECONDS,
            max_bytes=MAX_BYTES,
        )
    except http.BlockedAddress as error:
        raise ShopRefused(f"The shop's address must not be asked: {error}") from error
    except http.RequestFailed as error:
        raise ShopUnavailable(f"Shopify did not answer: {error.reason}") from error
    if answer.status_code == 429:
        raise ShopThrottled(_seconds(answer.headers.get("Retry-After")))
    if answer.status_code in REFUSALS or answer.status_code == 400:
        raise ShopRefused(REFUSALS.get(answer.status_code, "Shopify refuses client ID and secret, or the question."))
    if answer.status_code != 200 or answer.is_truncated:
        raise ShopUnavailable(f"Shopify answered with status {answer.status_code}.")
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise ShopUnavailable("Shopify's answer cannot be read.") from error
    if not isinstance(found, dict):
        raise ShopUnavailable("Shopify's answer is not an object.")
    return found


def _search(resource: Resource, since: datetime | None) -> str | None:
    return None if since is None else f"updated_at:>='{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"


def _seconds(said: str | None) -> float:
    try:
        return min(max(float(said or WAIT_WITHOUT_ADVICE), 1.0), LONGEST_WAIT)
    except ValueError:
        return WAIT_WITHOUT_ADVICE


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _cost(answer: Json) -> tuple[float, float, float]:
    """Return what a question like this costs, what is in the bucket, and how much of it comes back in a second."""
    cost = part(part(answer.get("extensions")).get("cost"))
    bucket = part(cost.get("throttleStatus"))
    return (
        _number(cost.get("requestedQueryCost")),
        _number(bucket.get("currentlyAvailable")),
        _number(bucket.get("restoreRate")),
    )


def _refill_seconds(answer: Json) -> float:
    asked, available, rate = _cost(answer)
    return min(max((asked - available) / rate, 1.0), LONGEST_WAIT) if rate > 0 else WAIT_WITHOUT_ADVICE


def _pause(answer: Json) -> float:
    asked, available, rate = _cost(answer)
    missing = ROOM_LEFT * asked - available
    return min(missing / rate, LONGEST_WAIT) if rate > 0 and missing > 0 else 0.0


def _messages(errors: Sequence[Json]) -> str:
    return "; ".join(str(error.get("message", ""))[:200] for error in errors[:3])
