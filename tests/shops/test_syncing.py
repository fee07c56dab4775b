"""Backfill, comparison and subscriptions, against a shop's API that really answers over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest

from signals_app.catalog.models import Product
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Fulfilment, Order
from signals_app.shops import services as shops
from signals_app.shops.constants import SUBSCRIBED_TOPICS, SyncKind, SyncState
from signals_app.shops.exceptions import InvalidConnection, ShopRefused
from signals_app.shops.models import PrivacyRequest, ShopConnection, ShopDifference, ShopSync
from signals_app.webhooks import services
from tests.shops import shop_server
from tests.shops.conftest import DOMAIN, NOW, Build
from tests.shops.shop_server import Json, ShopServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[ShopServer]:
    settings.OUTGOING_ALLOW_PRIVATE = [ip_network("127.0.0.0/8")]
    with shop_server.running(ShopServer()) as running:
        settings.SHOPIFY_ORIGIN = running.origin
        yield running


def said_at(**span: float) -> str:
    return f"{NOW - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


def money(amount: str, currency: str = "EUR") -> Json:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def order_node(number: int, **changes: Any) -> Json:
    return {
        "id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "email": f"shopper-{number}@example.com",
        "test": False,
        "createdAt": said_at(days=2, minutes=number),
        "processedAt": said_at(days=2, minutes=number),
        "updatedAt": said_at(days=2, minutes=number),
        "cancelledAt": None,
        "checkoutToken": f"till-{number}",
        "totalPriceSet": money("59.90"),
        "customer": {"id": f"gid://shopify/Customer/{number}", "defaultEmailAddress": None},
        "lineItems": {
            "nodes": [{"sku": "S", "title": "Wool scarf", "quantity": 1, "variant": {"id": "gid://x/V/8001"}}]
        },
        "refunds": [],
        "fulfillments": [],
    } | changes


def customer_node(number: int, **changes: Any) -> Json:
    return {
        "id": f"gid://shopify/Customer/{number}",
        "firstName": "Anna",
        "lastName": f"Nr. {number}",
        "locale": "de",
        "tags": ["VIP"],
        "createdAt": said_at(days=90),
        "updatedAt": said_at(days=3, minutes=number),
        "defaultEmailAddress": {
            "emailAddress": f"shopper-{number}@example.com",
            "marketingState": "SUBSCRIBED",
            "marketingOptInLevel": "CONFIRMED_OPT_IN",
            "marketingUpdatedAt": said_at(days=80),
        },
        "defaultAddress": {"countryCodeV2": "DE"},
    } | changes


def product_node(number: int, **changes: Any) -> Json:
    variant = {"id": f"gid://shopify/ProductVariant/{number}1", "price": "59.90", "compareAtPrice": "79.90"}
    return {
        "id": f"gid://shopify/Product/{number}",
        "title": f"Scarf {number}",
        "handle": f"scarf-{number}",
        "vendor": "Nordlicht",
        "productType": "Scarves",
        "status": "ACTIVE",
        "publishedAt": said_at(days=50),
        "createdAt": said_at(days=50),
        "updatedAt": said_at(days=3, minutes=number),
        "featuredMedia": {"preview": {"image": {"url": f"https://cdn.example.com/{number}.jpg"}}},
        "variants": {"nodes": [variant | {"availableForSale": True}], "pageInfo": {"hasNextPage": False}},
    } | changes


def walk(now: datetime = NOW, steps: int = 50) -> int:
    """Go on until nothing is due, and return how many pages that took."""
    for step in range(steps):
        if not shops.continue_syncs(api_of=services.api_of_shop, now=now):
            return step
    raise AssertionError("It walks for ever.")


@pytest.fixture
def backfill(shop: ShopConnection, server: ShopServer) -> Callable[..., ShopSync]:
    def start(now: datetime = NOW) -> ShopSync:
        started = shops.start_sync(shop=shop, kind=SyncKind.BACKFILL, started_by="anna", now=now)
        assert started is not None
        return started

    return start


class TestABackfill:
    def test_reads_everything_page_by_page(self, backfill: Callable[..., ShopSync], server: ShopServer) -> None:
        server.customers = [customer_node(number) for number in range(1, 4)]
        server.products = [product_node(number) for number in range(1, 4)]
        refund = {"id": "gid://shopify/Refund/1", "createdAt": said_at(days=1), "totalRefundedSet": money("9.90")}
        sent = {
            "id": "gid://shopify/Fulfillment/1",
            "status": "SUCCESS",
            "createdAt": said_at(days=1),
            "updatedAt": None,
        }
        server.orders = [
            order_node(1, refunds=[refund], fulfillments=[sent | {"trackingInfo": [{"url": "https://t.example/1"}]}]),
            *(order_node(number) for number in range(2, 6)),
        ]
        sync = backfill()

        pages = walk()

        sync.refresh_from_db()
        assert (pages, sync.state, sync.finished_at) == (7, SyncState.DONE, NOW)
        assert sync.counts["orders"] == {"read": 5, "changed": 5, "left_out": 0, "expected": 5}
        assert shops.progress(sync) == 1.0
        assert Customer.objects.count() == 5
        customer = Customer.objects.get(external_id="1")
        assert (customer.name, customer.attributes["tags"]) == ("Anna Nr. 1", ["VIP"])
        assert customer_services.has_consent(customer=customer).granted
        order = Order.objects.get(order_id="1")
        assert (order.refunded_total, order.name) == (Decimal("9.90"), "#1")
        assert Fulfilment.objects.get().tracking_url == "https://t.example/1"
        scarf = Product.objects.get(sku="21")
        assert (scarf.price, scarf.sale_price, scarf.url_key) == (
            Decimal("79.90"),
            Decimal("59.90"),
            "/products/scarf-2",
        )

    def test_again_changes_nothing(self, backfill: Callable[..., ShopSync], server: ShopServer) -> None:
        server.orders = [order_node(number) for number in range(1, 4)]
        backfill()
        walk()

        again = backfill(NOW + timedelta(hours=1))
        walk(NOW + timedelta(hours=1))

        again.refresh_from_db()
        assert again.counts["orders"] | {"read": 3, "changed": 0} == again.counts["orders"]

    def test_leaves_the_items_of_an_order_that_has_more_than_a_page_tells(
        self, backfill: Callable[..., ShopSync], server: ShopServer, deliver: Callable[..., Any], order_body: Build
    ) -> None:
        lines = [{"variant_id": number, "title": "Tent peg", "quantity": 1, "price": "2.00"} for number in range(1, 26)]
        deliver("orders/create", order_body(id=1, line_items=lines))
        first = [{"title": "Tent peg", "quantity": 1, "variant": {"id": f"gid://x/V/{n}"}} for n in range(1, 21)]
        cut = {"nodes": first, "pageInfo": {"hasNextPage": True}}
        server.orders = [order_node(1, updatedAt=said_at(hours=1), lineItems=cut, name="#1-A")]
        backfill()

        walk()

        order = Order.objects.get()
        assert (order.name, len(order.items)) == ("#1-A", 25)

    def test_broken_off_goes_on_where_it_was(
        self, backfill: Callable[..., ShopSync], server: ShopServer, shop: ShopConnection
    ) -> None:
        server.orders = [order_node(number) for number in range(1, 6)]
        sync = backfill()
        for _ in range(4):
            shops.continue_syncs(api_of=services.api_of_shop, now=NOW)
        sync.refresh_from_db()
        assert (sync.resource, sync.cursor) == ("orders", "4")
        ShopSync.objects.update(lease_until=NOW + timedelta(minutes=3), lease_token=shop.pk)  # a worker that was killed

        assert not shops.continue_syncs(api_of=services.api_of_shop, now=NOW)
        walk(NOW + timedelta(minutes=4))

        sync.refresh_from_db()
        assert (sync.state, sync.counts["orders"]["read"]) == (SyncState.DONE, 5)

    @pytest.mark.parametrize(("refusal", "seconds"), [("throttled", 10), ("too_many", 7)])
    def test_that_is_asked_for_patience_waits_in_its_row(
        self, backfill: Callable[..., ShopSync], server: ShopServer, refusal: str, seconds: int
    ) -> None:
        sync = backfill()
        server.failures = [server.throttled if refusal == "throttled" else shop_server.too_many]

        shops.continue_syncs(api_of=services.api_of_shop, now=NOW)

        sync.refresh_from_db()
        assert (sync.state, sync.due_at, sync.attempts) == (SyncState.RUNNING, NOW + timedelta(seconds=seconds), 0)
        assert not shops.continue_syncs(api_of=services.api_of_shop, now=NOW + timedelta(seconds=seconds - 1))
        assert shops.continue_syncs(api_of=services.api_of_shop, now=NOW + timedelta(seconds=seconds))

    def test_leaves_the_bucket_time_to_fill(self, backfill: Callable[..., ShopSync], server: ShopServer) -> None:
        sync = backfill()
        server.available = 50

        shops.continue_syncs(api_of=services.api_of_shop, now=NOW)

        sync.refresh_from_db()
        assert sync.due_at == NOW + timedelta(seconds=3)  # (2 * 100 - 50) points at 50 a second

    def test_of_a_shop_that_does_not_answer_tries_again_and_then_gives_up(
        self, backfill: Callable[..., ShopSync], server: ShopServer
    ) -> None:
        sync, now = backfill(), NOW
        server.failures = [shop_server.broken] * 20

        for _ in range(20):
            shops.continue_syncs(api_of=services.api_of_shop, now=now)
            sync.refresh_from_db()
            now = max(now, sync.due_at)

        assert (sync.state, sync.problem) == (SyncState.FAILED, "Shopify answered with status 502.")
        assert len(server.asked) == 12

    def test_without_the_permission_says_which_is_missing(
        self, backfill: Callable[..., ShopSync], server: ShopServer, shop: ShopConnection
    ) -> None:
        sync = backfill()
        server.failures = [shop_server.no_scope]

        walk()

        sync.refresh_from_db()
        shop.refresh_from_db()
        assert sync.state == SyncState.FAILED
        assert "Access denied for orders field." in sync.problem == shop.problem

    def test_leaves_out_what_cannot_be_used_and_names_it(
        self, backfill: Callable[..., ShopSync], server: ShopServer
    ) -> None:
        server.orders = [
            order_node(1),
            order_node(2, totalPriceSet=money("-1")),
            order_node(3, email="no address"),
            order_node(4, totalPriceSet=money("5", "XXX")),
        ]
        sync = backfill()

        walk()

        sync.refresh_from_db()
        assert (sync.state, sync.counts["orders"]["left_out"]) == (SyncState.DONE, 3)
        assert {problem["what"] for problem in sync.problems} == {"Order #2", "Order #3", "Order #4"}
        assert list(Order.objects.values_list("order_id", flat=True)) == ["1"]

    def test_does_not_bring_back_who_was_erased(
        self, backfill: Callable[..., ShopSync], server: ShopServer, deliver: Any
    ) -> None:
        server.customers, server.orders = [customer_node(1)], [order_node(1)]
        deliver("customers/redact", {"customer": {"id": 1, "email": "shopper-1@example.com"}})
        sync = backfill()

        walk()

        sync.refresh_from_db()
        assert (Customer.objects.count(), sync.state, sync.problems) == (0, SyncState.DONE, [])

    def test_overwrites_nothing_that_a_webhook_said_since(
        self, backfill: Callable[..., ShopSync], server: ShopServer, deliver: Any, order_body: Build
    ) -> None:
        deliver("orders/cancelled", order_body(id=1, cancelled_at=said_at(hours=1)))
        server.orders = [order_node(1)]
        backfill()

        walk()

        assert Order.objects.get().state == "cancelled"

    def test_runs_once_at_a_time_and_can_be_stopped(
        self, backfill: Callable[..., ShopSync], shop: ShopConnection, server: ShopServer
    ) -> None:
        sync = backfill()

        assert shops.start_sync(shop=shop, kind=SyncKind.BACKFILL, now=NOW) is None
        assert shops.stop_sync(sync=sync, now=NOW)
        assert not shops.stop_sync(sync=sync, now=NOW)
        assert walk() == 0
        assert shops.start_sync(shop=shop, kind=SyncKind.BACKFILL, now=NOW) is not None


class TestTheNightlyComparison:
    NIGHT = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
    """Half past three in Berlin, where the store is."""

    def run(self, now: datetime = NIGHT) -> int:
        started = shops.start_nightly_comparisons(now=now)
        walk(now)
        return started

    def test_finds_what_webhooks_lost_and_makes_it_good(
        self, shop: ShopConnection, server: ShopServer, deliver: Any, order_body: Build
    ) -> None:
        same = order_body(id=1, email="shopper-1@example.com", customer={"id": 1}, total_price="59.90")
        deliver("orders/create", same | {"updated_at": said_at(days=2, minutes=1)})
        deliver("orders/create", same | {"id": 2, "customer": {"id": 2}, "updated_at": said_at(days=3)})
        refund = {"id": "gid://shopify/Refund/1", "createdAt": said_at(days=1), "totalRefundedSet": money("59.90")}
        late = f"{NOW - timedelta(days=3):%Y-%m-%d}T23:30:00Z"  # the next day in the store's Berlin
        server.orders = [order_node(1), order_node(2, refunds=[refund]), order_node(3, processedAt=late)]

        self.run()

        found = sorted(ShopDifference.objects.values_list("order_id", "what"))
        assert [order_id for order_id, _ in found] == ["2", "3"]
        assert "refunded was 0.00, not 59.90 EUR" in found[0][1]
        assert found[1][1] == "#3 of 22 November 2026 was missing: 59.90 EUR."
        assert Order.objects.get(order_id="2").state == "refunded"
        assert Order.objects.filter(order_id="3").exists()

    def test_finds_nothing_the_second_time(self, shop: ShopConnection, server: ShopServer) -> None:
        server.orders = [order_node(1)]
        self.run()

        self.run(self.NIGHT + timedelta(days=1))

        assert ShopSync.objects.filter(state=SyncState.DONE).count() == 2
        assert ShopDifference.objects.count() == 1

    def test_leaves_alone_what_may_still_be_on_its_way(self, shop: ShopConnection, server: ShopServer) -> None:
        just_now = f"{self.NIGHT - timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"
        server.orders = [order_node(1, updatedAt=just_now)]

        self.run()

        assert not ShopDifference.objects.exists()
        assert not Order.objects.exists()

    def test_is_about_seven_days_and_once_a_night(self, shop: ShopConnection, server: ShopServer) -> None:
        assert shops.start_nightly_comparisons(now=NOW) == 0
        assert self.run() == 1
        assert self.run(self.NIGHT + timedelta(minutes=20)) == 0
        assert self.run(self.NIGHT + timedelta(hours=31)) == 1
        search = next(asked["variables"]["search"] for asked in server.asked if asked["variables"].get("search"))
        assert search == "updated_at:>='2026-11-18T02:30:00Z'"

    def test_is_left_out_where_we_may_not_ask(self, shop: ShopConnection, server: ShopServer) -> None:
        ShopConnection.objects.update(access_token="")

        assert self.run() == 0


class TestAccess:
    def test_is_checked_by_asking_the_shop_who_it_is(self, shop: ShopConnection, server: ShopServer) -> None:
        assert shops.check_access(shop=shop, client_secret="", now=NOW) == "Nordlicht answers."
        server.domain = "other.myshopify.com"
        with pytest.raises(ShopRefused, match=r"for other\.myshopify\.com, not for"):
            shops.check_access(shop=shop, client_secret="", now=NOW)

    def test_with_a_wrong_token_says_what_to_do(self, shop: ShopConnection, server: ShopServer) -> None:
        shops.give_access(shop=shop, access_token="shpat_old", now=NOW)

        with pytest.raises(ShopRefused, match="Paste a new one"):
            shops.check_access(shop=shop, client_secret="", now=NOW)
        assert "Paste a new one" in shop.problem

    def test_by_client_id_fetches_a_token_of_a_day_and_a_new_one_in_time(
        self, shop: ShopConnection, server: ShopServer
    ) -> None:
        shops.give_access(shop=shop, client_id="client-1", now=NOW)
        for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=24)):
            services.api_of_shop(shop, now).shop()

        fetched = [asked for asked in server.asked if asked["path"] == "/admin/oauth/access_token"]
        assert len(fetched) == 2
        assert fetched[0]["grant_type"] == "client_credentials"

    def test_with_a_wrong_client_secret_is_refused(self, shop: ShopConnection, server: ShopServer) -> None:
        shops.give_access(shop=shop, client_id="client-2", now=NOW)

        with pytest.raises(ShopRefused):
            services.api_of_shop(shop, NOW)

    def test_to_a_private_address_is_refused(self, shop: ShopConnection, settings: Any) -> None:
        settings.SHOPIFY_ORIGIN, settings.OUTGOING_ALLOW_PRIVATE = "http://127.0.0.1:9", []

        with pytest.raises(ShopRefused, match="must not be asked"):
            shops.check_access(shop=shop, client_secret="", now=NOW)

    @pytest.mark.parametrize(
        "domain", ["https://NORDLICHT-test.myshopify.com/admin", "nordlicht-test", " Nordlicht-Test.MyShopify.com "]
    )
    def test_a_domain_is_read_however_it_is_written(self, domain: str) -> None:
        assert shops.shop_domain(domain) == DOMAIN

    @pytest.mark.parametrize(
        "domain", ["", "shop.example.com", "a.b.myshopify.com", "myshopify.com", "x y", "http://["]
    )
    def test_another_domain_is_refused(self, domain: str) -> None:
        with pytest.raises(InvalidConnection):
            shops.shop_domain(domain)


class TestSubscriptions:
    def test_whose_list_never_ends_is_not_read_for_ever(self, shop: ShopConnection, server: ShopServer) -> None:
        empty = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "1"}}
        answer = {"data": {"webhookSubscriptions": empty}}
        server.failures = [lambda: (200, {}, answer)] * 50

        assert shops.shop_api(shop=shop, client_secret="", now=NOW).subscriptions() == []

    def test_are_made_for_what_is_missing(self, shop: ShopConnection, server: ShopServer, settings: Any) -> None:
        settings.PUBLIC_URL = "https://crm.example.com"
        address = shops.webhook_url(shop)
        server.subscriptions = [
            {"id": "1", "topic": "ORDERS_CREATE", "uri": address},
            {"id": "2", "topic": "ORDERS_UPDATED", "uri": "https://elsewhere.example.com/"},
        ]
        server.refused_topics = {"CHECKOUTS_CREATE"}

        refused = shops.subscribe(shop=shop, client_secret="", now=NOW)

        shop.refresh_from_db()
        assert set(refused) == {"checkouts/create"}
        assert set(shop.subscribed_topics) == set(SUBSCRIBED_TOPICS) - {"checkouts/create"}
        assert sum(row["topic"] == "ORDERS_CREATE" for row in server.subscriptions) == 1

    def test_are_refused_for_an_address_without_tls(
        self, shop: ShopConnection, server: ShopServer, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "http://127.0.0.1:8000"

        with pytest.raises(ShopRefused, match="https"):
            shops.subscribe(shop=shop, client_secret="", now=NOW)
        assert not server.asked


def test_the_shops_customers_are_erased_in_slices(
    shop: ShopConnection, server: ShopServer, backfill: Callable[..., ShopSync], deliver: Any
) -> None:
    server.customers = [customer_node(number) for number in range(1, 14)]
    server.orders = [order_node(30, customer=None)]
    backfill()
    walk()
    other = customer_services.identify(project=shop.project, identifiers={"email": "stays@example.com"}, now=NOW)
    deliver("shop/redact", {"shop_id": 1})

    sync = shops.start_sync(shop=shop, kind=SyncKind.ERASURE, started_by="olga", now=NOW)
    walk()

    assert sync is not None
    sync.refresh_from_db()
    assert sync.state == SyncState.DONE
    assert list(Customer.objects.values_list("pk", flat=True)) == [other.customer.pk]
    request = PrivacyRequest.objects.get(kind="SHOP_ERASURE")
    assert (request.done_by, request.note) == ("olga", "14 profiles were erased.")
