"""What Shopify is answered, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from signals_app.shops import services as shop_services
from signals_app.shops import signature
from signals_app.shops.models import ShopConnection
from signals_app.webhooks import services, shop_inbox
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, ShopDelivery, WebhookDelivery, WebhookSource
from tests.shops.conftest import DOMAIN, NOW, SECRET, Build

pytestmark = pytest.mark.django_db

Post = Callable[..., Any]


class TestASignedWebhook:
    def test_is_kept_byte_for_byte_with_what_its_headers_said(self, post_webhook: Post, order_body: Build) -> None:
        raw = json.dumps(order_body(), indent=2).encode()

        response = post_webhook("orders/create", raw, webhook_id="b54557e4-1")

        assert (response.status_code, response.json()["status"]) == (200, "accepted")
        delivery = WebhookDelivery.objects.get()
        assert str(delivery.pk) == response.json()["id"]
        assert bytes(delivery.body) == raw
        headers = delivery.shop_delivery
        assert (headers.topic, headers.webhook_id) == ("orders/create", "b54557e4-1")
        assert headers.triggered_at == NOW.replace(microsecond=123456)
        assert InboxItem.objects.get().state == InboxState.PENDING

    def test_again_is_a_repeat_that_is_counted(self, post_webhook: Post, order_body: Build) -> None:
        first = post_webhook("orders/create", order_body(), webhook_id="one").json()

        again = post_webhook("orders/create", order_body(), webhook_id="one").json()

        assert again == {"id": first["id"], "status": "duplicate"}
        assert WebhookDelivery.objects.count() == InboxItem.objects.count() == 1
        assert ShopDelivery.objects.get().duplicate_count == 1

    def test_with_the_same_bytes_under_another_topic_is_another(self, post_webhook: Post, order_body: Build) -> None:
        for topic in ("orders/create", "orders/paid"):
            assert post_webhook(topic, order_body()).json()["status"] == "accepted"

        assert WebhookDelivery.objects.count() == 2

    def test_without_a_number_is_told_apart_by_topic_and_bytes(self, post_webhook: Post, order_body: Build) -> None:
        answers = [
            post_webhook(topic, order_body(), headers={"X-Shopify-Webhook-Id": ""}).json()["status"]
            for topic in ("orders/create", "orders/create", "orders/paid")
        ]

        assert answers == ["accepted", "duplicate", "accepted"]

    def test_to_a_paused_connection_is_parked(
        self, post_webhook: Post, shop: ShopConnection, order_body: Build
    ) -> None:
        services.pause(source=shop.webhook_source, now=NOW)

        assert post_webhook("orders/create", order_body()).json()["status"] == "parked"
        assert InboxItem.objects.get().state == InboxState.PARKED

    @pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000])
    def test_that_is_no_json_object_is_kept_for_a_person(self, post_webhook: Post, body: bytes) -> None:
        response = post_webhook("orders/create", body)

        assert (response.status_code, response.json()["code"]) == (400, "malformed")
        assert InboxItem.objects.get().state == InboxState.QUARANTINED

    def test_signed_with_the_secret_before_is_accepted_while_that_is_valid(
        self, post_webhook: Post, shop: ShopConnection, order_body: Build
    ) -> None:
        until = timezone.now() + timedelta(hours=1)
        services.give_secret(source=shop.webhook_source, secret="shpss_new", others_expire_at=until, now=NOW)

        assert post_webhook("orders/create", order_body()).status_code == 200
        assert post_webhook("orders/create", order_body(), secret="shpss_new").status_code == 200

    def test_without_the_last_slash_is_no_redirect(self, client: Client, shop: ShopConnection) -> None:
        raw = b"{}"
        headers = {
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Hmac-Sha256": signature.sign(SECRET, raw),
            "X-Shopify-Shop-Domain": DOMAIN.upper(),
        }

        response = client.generic("POST", f"/webhooks/shopify/{shop.pk}", data=raw, headers=headers)

        assert response.status_code == 200


class TestARequestThatIsNotBelieved:
    @pytest.mark.parametrize(
        "changes",
        [
            {"secret": "another"},
            {"secret": ""},
            {"domain": "other-shop.myshopify.com"},
            {"domain": ""},
            {"headers": {"X-Shopify-Hmac-Sha256": ""}},
            {"headers": {"X-Shopify-Hmac-Sha256": "not base64 at all"}},
            {"headers": {"X-Shopify-Hmac-Sha256": "schlüssel"}},
        ],
    )
    def test_is_401_and_kept_nowhere(self, post_webhook: Post, order_body: Build, changes: dict[str, Any]) -> None:
        response = post_webhook("orders/create", order_body(), **changes)

        assert (response.status_code, response.json()["code"]) == (401, "not_verified")
        assert response["WWW-Authenticate"] == "x-shopify-hmac-sha256"
        assert not WebhookDelivery.objects.exists()
        assert HourlyCount.objects.get().count == 1

    def test_with_one_byte_changed_is_401(self, client: Client, shop: ShopConnection, order_body: Build) -> None:
        raw = json.dumps(order_body()).encode()
        headers = {
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Hmac-Sha256": signature.sign(SECRET, raw),
            "X-Shopify-Shop-Domain": DOMAIN,
        }

        response = client.generic("POST", f"/webhooks/shopify/{shop.pk}/", data=raw + b" ", headers=headers)

        assert response.status_code == 401

    def test_before_a_secret_was_pasted_is_401(
        self, post_webhook: Post, shop: ShopConnection, order_body: Build
    ) -> None:
        shop.webhook_source.secrets.all().delete()

        assert post_webhook("orders/create", order_body()).status_code == 401
        assert HourlyCount.objects.get().outcome == "NO_SECRET"

    @pytest.mark.parametrize("shop_id", [uuid4(), "nobody", "", "%00"])
    def test_to_an_unknown_shop_is_404(self, post_webhook: Post, order_body: Build, shop_id: Any) -> None:
        assert post_webhook("orders/create", order_body(), shop_id=shop_id).status_code == 404

    def test_to_the_address_of_the_other_kind_is_404(
        self, post_webhook: Post, client: Client, shop: ShopConnection, source: WebhookSource
    ) -> None:
        assert post_webhook("orders/create", {}, shop_id=source.pk).status_code == 404
        assert post_webhook("orders/create", {}, shop_id=shop.webhook_source.pk).status_code == 404
        assert client.post(f"/webhooks/insightarc/{shop.webhook_source.pk}/", data={}).status_code == 404

    def test_that_is_too_large_or_packed_is_refused_unread(self, post_webhook: Post) -> None:
        packed = post_webhook("orders/create", {}, headers={"Content-Encoding": "gzip"})

        assert post_webhook("products/update", b" " * (2 * 1024 * 1024 + 1)).status_code == 413
        assert packed.status_code == 415
        assert not WebhookDelivery.objects.exists()

    def test_by_another_method_is_405_or_an_empty_200(self, client: Client, shop: ShopConnection) -> None:
        address = f"/webhooks/shopify/{shop.pk}/"

        assert client.get(address).status_code == 405
        assert client.head(address).status_code == client.options(address).status_code == 200


def test_a_webhook_that_could_not_be_stored_is_503(
    post_webhook: Post, order_body: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arrivals: Any) -> Any:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(shop_inbox._shared, "_store", broken)

    response = post_webhook("orders/create", order_body())

    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.django_db(transaction=True)
def test_the_same_webhook_many_times_at_once_is_kept_once(shop: ShopConnection, order_body: Build) -> None:
    raw = json.dumps(order_body()).encode()
    headers = {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Hmac-Sha256": signature.sign(SECRET, raw),
        "X-Shopify-Shop-Domain": DOMAIN,
        "X-Shopify-Webhook-Id": "one",
    }

    def post(_: int) -> str:
        try:
            response = Client().generic("POST", f"/webhooks/shopify/{shop.pk}/", data=raw, headers=headers)
            return str(response.json()["status"])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(24)))

    assert sorted(answers) == ["accepted"] + ["duplicate"] * 23
    assert WebhookDelivery.objects.count() == 1
    assert ShopDelivery.objects.get().duplicate_count == 23


@pytest.mark.django_db(transaction=True)
def test_two_groups_with_the_same_webhook_agree_on_the_first(shop: ShopConnection) -> None:
    source_id = shop.webhook_source.pk
    verdict = shop_inbox.STATE_OF_VERDICT.__iter__().__next__()

    def keep(number: int) -> list[Any]:
        try:
            arrivals = [
                shop_inbox.ShopArrival(
                    source_id=source_id, body=b"{}", verdict=verdict, topic="orders/create", webhook_id=f"n{each}"
                )
                for each in range(20)
            ]
            return [receipt.delivery_id for receipt in shop_inbox.store(arrivals)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(keep, range(4)))

    assert all(ids == found[0] for ids in found)
    assert WebhookDelivery.objects.count() == InboxItem.objects.count() == 20


def test_the_address_that_is_given_out_is_the_one_that_answers(client: Client, shop: ShopConnection) -> None:
    assert client.head(shop_services.webhook_path(shop.pk)).status_code == 200
    assert shop_services.webhook_url(shop).endswith(f"/webhooks/shopify/{shop.pk}/")
