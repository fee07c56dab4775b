"""A shop at Shopify, its webhooks really signed, and bodies of the documented shapes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from signals_app.projects.models import Project
from signals_app.shops import signature
from signals_app.shops.models import ShopConnection
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.models import InboxItem, WebhookDelivery

SECRET = "shpss_0123456789abcdef"
DOMAIN = "nordlicht-test.myshopify.com"
NOW = datetime(2026, 11, 24, 11, tzinfo=UTC)

Body = dict[str, Any]
Build = Callable[..., Body]


@pytest.fixture
def shop(project: Project) -> ShopConnection:
    return services.connect_shop(project=project, domain=DOMAIN, secret=SECRET, access_token="shpat_test", now=NOW)


@pytest.fixture
def post_webhook(client: Client, shop: ShopConnection) -> Callable[..., Any]:
    """Post a body, really signed, as Shopify does; each webhook has a number of its own unless one is given."""
    numbers = itertools.count(1)

    def post(
        topic: str,
        body: Body | bytes,
        *,
        shop_id: Any = shop.pk,
        secret: str = SECRET,
        domain: str = DOMAIN,
        webhook_id: str | None = None,
        at: datetime = NOW,
        headers: dict[str, str] | None = None,
    ) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": signature.sign(secret, raw),
            "X-Shopify-Shop-Domain": domain,
            "X-Shopify-Webhook-Id": webhook_id or f"wh-{next(numbers)}",
            "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
            "X-Shopify-Triggered-At": f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z",
            "X-Shopify-API-Version": "2026-10",
        }
        return client.generic(
            "POST",
            f"/webhooks/shopify/{shop_id}/",
            data=raw,
            content_type="application/json",
            headers=said | (headers or {}),
        )

    return post


@pytest.fixture
def process() -> Callable[..., pipeline.BatchReport]:
    """Process what waits in the inbox, as if it came at `now`."""

    def process(now: datetime = NOW) -> pipeline.BatchReport:
        InboxItem.objects.update(due_at=now)
        return pipeline.process_batch(now=now)

    return process


@pytest.fixture
def deliver(post_webhook: Callable[..., Any], process: Callable[..., Any]) -> Callable[..., Any]:
    """Post a webhook, have it processed, and return the report of that."""

    def deliver(topic: str, body: Body, **more: Any) -> pipeline.BatchReport:
        now = more.pop("now", NOW)
        response = post_webhook(topic, body, **more)
        assert response.status_code == 200, response.content
        WebhookDelivery.objects.filter(pk=response.json()["id"]).update(received_at=now)
        report: pipeline.BatchReport = process(now)
        return report

    return deliver


def ago(**span: float) -> str:
    """Return a moment before `NOW` as Shopify writes it, in the shop's own time zone."""
    return (NOW - timedelta(**span)).astimezone(tz=None).isoformat()


@pytest.fixture
def order_body() -> Build:
    def build(**changes: Any) -> Body:
        return {
            "id": 5000000000001,
            "admin_graphql_api_id": "gid://shopify/Order/5000000000001",
            "name": "#1001",
            "order_number": 1001,
            "email": "anna@example.com",
            "contact_email": "anna@example.com",
            "created_at": ago(hours=2),
            "processed_at": ago(hours=2),
            "updated_at": ago(hours=2),
            "cancelled_at": None,
            "checkout_token": "till-1",
            "currency": "EUR",
            "presentment_currency": "EUR",
            "total_price": "119.80",
            "financial_status": "paid",
            "test": False,
            "customer": {"id": 700001, "email": "anna@example.com", "first_name": "Anna", "last_name": "Berg"},
            "line_items": [
                {
                    "id": 1,
                    "variant_id": 8001,
                    "sku": "SCARF-RED",
                    "title": "Wool scarf",
                    "quantity": 2,
                    "price": "59.90",
                }
            ],
            "refunds": [],
            "fulfillments": [],
        } | changes

    return build


@pytest.fixture
def refund_body() -> Build:
    def build(amount: str = "20.00", **changes: Any) -> Body:
        transaction = {"id": 1, "kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}
        return {
            "id": 9001,
            "order_id": 5000000000001,
            "created_at": ago(hours=1),
            "processed_at": ago(hours=1),
            "refund_line_items": [],
            "transactions": [transaction, {**transaction, "id": 2, "status": "failure"}],
        } | changes

    return build


@pytest.fixture
def fulfilment_body() -> Build:
    def build(**changes: Any) -> Body:
        return {
            "id": 4001,
            "order_id": 5000000000001,
            "status": "success",
            "created_at": ago(minutes=50),
            "updated_at": ago(minutes=50),
            "tracking_company": "DHL",
            "tracking_url": "https://track.example.com/1",
            "name": "#1001.1",
            "email": "anna@example.com",
        } | changes

    return build


@pytest.fixture
def checkout_body() -> Build:
    def build(**changes: Any) -> Body:
        return {
            "id": 6001,
            "token": "till-1",
            "cart_token": "cart-1",
            "email": "anna@example.com",
            "created_at": ago(hours=3),
            "updated_at": ago(hours=3),
            "completed_at": None,
            "currency": "EUR",
            "total_price": "119.80",
            "customer": None,
            "line_items": [],
        } | changes

    return build


@pytest.fixture
def customer_body() -> Build:
    def build(**changes: Any) -> Body:
        return {
            "id": 700001,
            "email": "anna@example.com",
            "first_name": "Anna",
            "last_name": "Berg",
            "state": "enabled",
            "created_at": ago(days=30),
            "updated_at": ago(days=1),
            "currency": "EUR",
            "default_address": {"id": 1, "country_code": "DE", "city": "Berlin"},
        } | changes

    return build


@pytest.fixture
def consent_body() -> Build:
    def build(state: str = "subscribed", *, at: str = "", **changes: Any) -> Body:
        said = {"state": state, "opt_in_level": "confirmed_opt_in", "consent_updated_at": at or ago(days=1)}
        return {
            "customer_id": 700001,
            "email_address": "anna@example.com",
            "email_marketing_consent": said,
        } | changes

    return build


@pytest.fixture
def product_body() -> Build:
    def build(**changes: Any) -> Body:
        return {
            "id": 3001,
            "title": "Wool scarf",
            "handle": "wool-scarf",
            "body_html": "<p>Warm</p>",
            "vendor": "Nordlicht",
            "product_type": "Scarves",
            "status": "active",
            "published_at": ago(days=20),
            "created_at": ago(days=20),
            "updated_at": ago(days=2),
            "tags": "wool, winter",
            "image": {"id": 11, "src": "https://cdn.example.com/scarf.jpg"},
            "images": [
                {"id": 11, "src": "https://cdn.example.com/scarf.jpg"},
                {"id": 12, "src": "https://cdn.example.com/scarf-red.jpg"},
            ],
            "variants": [
                {
                    "id": 8001,
                    "sku": "SCARF-RED",
                    "price": "59.90",
                    "compare_at_price": "79.90",
                    "image_id": 12,
                    "inventory_management": "shopify",
                    "inventory_policy": "deny",
                    "inventory_quantity": 3,
                },
                {
                    "id": 8002,
                    "sku": "SCARF-BLUE",
                    "price": "69.90",
                    "compare_at_price": None,
                    "image_id": None,
                    "inventory_management": "shopify",
                    "inventory_policy": "deny",
                    "inventory_quantity": 0,
                },
            ],
        } | changes

    return build
