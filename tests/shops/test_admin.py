"""The page of a shop connection, and of what the law asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.customers.models import Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shops.constants import SyncState
from signals_app.shops.models import PrivacyRequest, ShopConnection, ShopDifference, ShopSync
from signals_app.webhooks import tasks
from signals_app.webhooks.models import WebhookSecret, WebhookSource
from tests.shops import shop_server
from tests.shops.conftest import DOMAIN, NOW, SECRET, Build
from tests.shops.shop_server import ShopServer
from tests.shops.test_syncing import order_node

pytestmark = pytest.mark.django_db

ADD = "/admin/shops/shopconnection/add/"


@pytest.fixture
def owner(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OWNER)


@pytest.fixture
def server(settings: Any) -> Iterator[ShopServer]:
    settings.OUTGOING_ALLOW_PRIVATE = [ip_network("127.0.0.0/8")]
    with shop_server.running(ShopServer()) as running:
        settings.SHOPIFY_ORIGIN = running.origin
        yield running


def page(shop: ShopConnection, name: str = "change", *more: Any) -> str:
    return reverse(f"admin:shops_shopconnection_{name}", args=[shop.pk, *more])


def text(client: Client, address: str) -> str:
    return client.get(address, follow=True).content.decode()


class TestConnecting:
    def test_begins_on_the_empty_page_with_what_other_shops_do(self, owner: Client, project: Project) -> None:
        shown = text(owner, "/admin/shops/shopconnection/")

        assert "Another shop system?" in shown
        for path in ("orders", "consent", "identify"):
            assert f"/api/v1/{path}/" in shown

    def test_takes_domain_secret_and_token_and_shows_none_of_them_again(self, owner: Client) -> None:
        said = {"domain": f"https://{DOMAIN}/admin", "secret": SECRET, "access_token": "shpat_x", "client_id": ""}

        answer = owner.post(ADD, said)

        shop = ShopConnection.objects.get()
        assert answer["Location"] == page(shop)
        assert (shop.domain, shop.access_token) == (DOMAIN, "shpat_x")
        assert [row.secret for row in shop.webhook_source.secrets.all()] == [SECRET]
        shown = text(owner, page(shop))
        assert f"/webhooks/shopify/{shop.pk}/" in shown
        assert SECRET not in shown
        assert "shpat_x" not in shown

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"domain": "shop.example.com"}, "domain"), ({"domain": ""}, "domain"), ({"domain": DOMAIN}, "domain")],
    )
    def test_with_a_domain_that_cannot_be_is_refused_at_its_field(
        self, owner: Client, shop: ShopConnection, changes: dict[str, str], field: str
    ) -> None:
        answer = owner.post(ADD, {"secret": SECRET, "access_token": "", "client_id": ""} | changes)

        assert answer.status_code == 200
        assert field in answer.context["adminform"].form.errors
        assert ShopConnection.objects.count() == 1

    def test_with_a_token_that_cannot_be_is_refused(self, owner: Client, project: Project) -> None:
        answer = owner.post(ADD, {"domain": DOMAIN, "secret": "", "access_token": "shpat_ü", "client_id": ""})

        assert answer.status_code == 200
        assert "access_token" in answer.context["adminform"].form.errors
        assert not WebhookSource.objects.exists()

    def test_is_for_owners_and_operators(self, sign_in: Callable[..., Client], shop: ShopConnection) -> None:
        for role, expected in ((Role.MARKETER, 403), (Role.ANALYST, 403), (Role.OPERATOR, 302)):
            browser = sign_in(role)
            assert browser.get(page(shop)).status_code == 200
            assert browser.post(page(shop, "paste_secret"), {"secret": "s"}).status_code == expected
            assert browser.post(page(shop, "start_backfill")).status_code == expected

    def test_in_another_store_is_not_found(self, owner: Client, project: Project) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        shop = ShopConnection.objects.create(project=other, domain=DOMAIN)
        WebhookSource.objects.create(project=other, shop=shop)

        for name in ("paste_secret", "give_access", "ask_now", "subscribe", "start_backfill", "pause"):
            assert owner.post(page(shop, name)).status_code == 404
        assert owner.get(page(shop)).status_code == 404


class TestThePage:
    def test_says_what_arrived_by_topic(
        self, owner: Client, shop: ShopConnection, deliver: Any, post_webhook: Any, order_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("orders/create", order_body(id=2, test=True))
        deliver("orders/create", order_body(currency="XXX"))
        deliver("collections/update", {"id": 1})
        post_webhook("orders/create", order_body(), secret="wrong")

        shown = text(owner, page(shop))

        assert "Connected" in shown
        assert "last: A test order." in shown
        assert "1 need fixing." in shown
        assert "collections/update" in shown
        assert "1 refused in 7 days." in shown

    def test_takes_another_secret_and_removes_one(self, owner: Client, shop: ShopConnection) -> None:
        owner.post(page(shop, "paste_secret"), {"secret": "shpss_new", "keep_old": "DAY"})

        old, new = WebhookSecret.objects.order_by("pk")
        assert old.expires_at is not None
        assert (new.secret, new.expires_at) == ("shpss_new", None)
        owner.post(page(shop, "remove_secret", old.pk))
        assert list(WebhookSecret.objects.values_list("pk", flat=True)) == [new.pk]

    def test_tries_new_access_at_once(self, owner: Client, shop: ShopConnection, server: ShopServer) -> None:
        wrong = owner.post(page(shop, "give_access"), {"access_token": "shpat_old", "client_id": ""}, follow=True)
        right = owner.post(page(shop, "give_access"), {"access_token": "", "client_id": "client-1"}, follow=True)

        assert "Paste a new one" in wrong.content.decode()
        assert "Nordlicht answers." in right.content.decode()

    def test_has_shopify_post_the_topics(
        self, owner: Client, shop: ShopConnection, server: ShopServer, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "https://crm.example.com"

        shown = owner.post(page(shop, "subscribe"), follow=True).content.decode()

        assert "All topics are posted here" in shown
        assert {row["uri"] for row in server.subscriptions} == {f"https://crm.example.com/webhooks/shopify/{shop.pk}/"}

    def test_starts_stops_and_shows_a_backfill(self, owner: Client, shop: ShopConnection, server: ShopServer) -> None:
        server.orders = [order_node(1), order_node(2, email="no address")]
        owner.post(page(shop, "start_backfill"))
        owner.post(page(shop, "start_backfill"))
        assert ShopSync.objects.get().started_by.startswith("owner")

        tasks.continue_shop_syncs()

        shown = text(owner, page(shop))
        assert "Orders: 2 of 2 read, 1 new or changed, 1 left out." in shown
        assert "email: Enter a valid e-mail address." in shown
        owner.post(page(shop, "start_backfill"))
        second = ShopSync.objects.get(state=SyncState.RUNNING)
        assert 'http-equiv="refresh"' in text(owner, page(shop))
        owner.post(page(shop, "stop"))
        second.refresh_from_db()
        assert second.state == SyncState.STOPPED

    def test_without_access_says_what_is_missing(self, owner: Client, shop: ShopConnection) -> None:
        ShopConnection.objects.update(access_token="")

        shown = owner.post(page(shop, "start_backfill"), follow=True).content.decode()

        assert "First say how to ask the shop" in shown
        assert not ShopSync.objects.exists()

    def test_pauses_and_goes_on(
        self, owner: Client, shop: ShopConnection, post_webhook: Any, order_body: Build
    ) -> None:
        owner.post(page(shop, "pause"), {"paused": "1"})
        post_webhook("orders/create", order_body())
        assert "Paused" in text(owner, page(shop))

        shown = owner.post(page(shop, "pause"), {"paused": "0"}, follow=True).content.decode()

        assert "1 webhooks that came meanwhile" in shown

    def test_shows_what_the_night_found(self, owner: Client, shop: ShopConnection) -> None:
        ShopDifference.objects.create(shop=shop, order_id="7", what="#7 was missing.", found_at=NOW)

        assert "#7 was missing." in text(owner, page(shop))
        assert "#7 was missing." in text(owner, "/admin/shops/shopdifference/")

    def test_shops_are_no_connections_of_insightarc(self, owner: Client, shop: ShopConnection) -> None:
        assert owner.get(f"/admin/webhooks/webhooksource/{shop.webhook_source.pk}/change/").status_code == 404
        assert "Shopify" not in text(owner, "/admin/webhooks/webhooksource/?all=1")


class TestAPrivacyRequest:
    def test_is_marked_as_done_by_an_owner(
        self, owner: Client, sign_in: Callable[..., Client], deliver: Any, order_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("customers/data_request", {"customer": {"id": 700001}, "data_request": {"id": 5}})
        request = PrivacyRequest.objects.get()
        address = reverse("admin:shops_privacyrequest_mark_done", args=[request.pk])

        assert sign_in(Role.MARKETER).post(address).status_code == 403
        assert "A customer asks for their data" in text(owner, "/admin/shops/privacyrequest/")
        shown = text(owner, reverse("admin:shops_privacyrequest_change", args=[request.pk]))
        assert "Mark as done" in shown
        assert "Erase the shop" not in shown
        owner.post(reverse("admin:shops_privacyrequest_erase_customers", args=[request.pk]))
        assert not ShopSync.objects.exists()
        owner.post(address)

        request.refresh_from_db()
        assert request.done_at is not None
        assert request.done_by.startswith("owner")

    def test_of_the_shop_erases_its_customers(self, owner: Client, deliver: Any, order_body: Build) -> None:
        deliver("orders/create", order_body())
        deliver("shop/redact", {"shop_id": 1})
        request = PrivacyRequest.objects.get()
        PrivacyRequest.objects.update(due_at=timezone.now() - timedelta(days=1))
        assert "Overdue" in text(owner, "/admin/shops/privacyrequest/")

        owner.post(reverse("admin:shops_privacyrequest_erase_customers", args=[request.pk]))
        tasks.continue_shop_syncs()

        request.refresh_from_db()
        assert request.done_at is not None
        assert not Customer.objects.exists()
