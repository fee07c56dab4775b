"""What a webhook changes, topic by topic; and that neither repetition nor order of arrival matters."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from signals_app.catalog.models import Product, ProductFeed
from signals_app.customers import services as customer_services
from signals_app.customers.models import Checkout, ConsentChange, Customer, Fulfilment, Identifier, Order
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.shops.models import PrivacyRequest, RefundSeen, ShopConnection, ShopTopic
from signals_app.shops.records import PrivacyDemand
from signals_app.shops.services import people
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.constants import MAX_ATTEMPTS, InboxState
from signals_app.webhooks.models import InboxItem, ShopDelivery, WebhookDelivery
from tests.shops.conftest import NOW, Build, ago
from tests.whole_database import tables_that_say

pytestmark = pytest.mark.django_db

Deliver = Callable[..., pipeline.BatchReport]


def outcome() -> ShopTopic:
    return ShopTopic.objects.get()


class TestAnOrder:
    def test_is_recorded_with_its_shopper(self, deliver: Deliver, order_body: Build, project: Project) -> None:
        report = deliver("orders/create", order_body())

        order = Order.objects.get(project=project)
        assert (report.processed, report.quarantined, report.failed) == (1, 0, 0)
        assert (order.order_id, order.name, str(order)) == ("5000000000001", "#1001", "#1001")
        assert (order.total, order.currency, order.state) == (Decimal("119.80"), "EUR", "placed")
        assert order.placed_at == NOW - timedelta(hours=2)
        assert order.items == [{"sku": "8001", "title": "Wool scarf", "quantity": 2, "price": "59.90"}]
        assert (order.identifier.kind, order.identifier.value) == ("external_id", "700001")
        assert order.identifier.customer.email == "anna@example.com"
        assert not InboxItem.objects.exists()
        assert ShopDelivery.objects.get().identifier == order.identifier
        assert (outcome().processed, outcome().passed_over) == (1, 0)

    def test_knows_the_price_of_what_was_given_away(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body(line_items=[{"variant_id": 1, "title": "Sticker", "price": "0.00"}]))

        assert Order.objects.get().items == [{"sku": "1", "title": "Sticker", "quantity": 1, "price": "0.00"}]

    def test_of_a_guest_is_that_of_an_address(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body(customer=None))

        assert Order.objects.get().identifier.kind == "email"

    def test_that_comes_again_and_again_changes_nothing_more(self, deliver: Deliver, order_body: Build) -> None:
        for topic in ("orders/create", "orders/paid", "orders/updated", "orders/create"):
            deliver(topic, order_body())

        assert Order.objects.count() == 1
        assert Fact.objects.filter(kind=FactKind.ORDER_RECORDED).count() == 1

    def test_that_is_replayed_changes_nothing_more(self, deliver: Deliver, process: Any, order_body: Build) -> None:
        deliver("orders/create", order_body())
        deliver("orders/cancelled", order_body(cancelled_at=ago(hours=1), updated_at=ago(hours=1)))

        services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW)
        process()

        assert Order.objects.get().state == "cancelled"
        assert sum(topic.processed for topic in ShopTopic.objects.all()) == 2
        assert Fact.objects.filter(kind=FactKind.ORDER_RECORDED).count() == 2

    @pytest.mark.parametrize("sequence", list(itertools.permutations(range(3))))
    def test_is_what_was_said_last_whatever_came_last(
        self, deliver: Deliver, order_body: Build, sequence: tuple[int, ...]
    ) -> None:
        said = [
            ("orders/create", order_body()),
            ("orders/updated", order_body(updated_at=ago(minutes=90), total_price="99.80")),
            (
                "orders/cancelled",
                order_body(updated_at=ago(minutes=30), total_price="99.80", cancelled_at=ago(hours=1)),
            ),
        ]

        for place in sequence:
            deliver(*said[place])

        order = Order.objects.get()
        assert (order.state, order.total) == ("cancelled", Decimal("99.80"))

    def test_whose_e_mail_differs_by_case_is_the_same_shoppers(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body(customer=None))
        deliver("orders/create", order_body(id=2, customer=None, email="ANNA@Example.com"))

        assert Customer.objects.count() == 1

    def test_that_names_nobody_or_is_a_test_is_passed_over(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body(customer=None, email="", contact_email=None))
        deliver("orders/create", order_body(id=2, test=True))

        assert not Order.objects.exists()
        assert (outcome().processed, outcome().passed_over, outcome().last_reason) == (2, 2, "A test order.")

    def test_of_the_shop_of_another_store_is_another(
        self, deliver: Deliver, post_webhook: Any, process: Any, order_body: Build
    ) -> None:
        store = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        other = services.connect_shop(project=store, domain="other", secret="s2", now=NOW)
        deliver("orders/create", order_body())

        post_webhook("orders/create", order_body(), shop_id=other.pk, secret="s2", domain="other.myshopify.com")
        process()

        assert sorted(Order.objects.values_list("project__slug", flat=True)) == ["nordlicht", "other"]
        assert Customer.objects.count() == 2


class TestARefund:
    def test_in_parts_adds_up_each_once(self, deliver: Deliver, order_body: Build, refund_body: Build) -> None:
        deliver("orders/create", order_body())
        for refund in (refund_body("20.00"), refund_body("20.00"), refund_body("0.80", id=9002)):
            deliver("refunds/create", refund)

        order = Order.objects.get()
        assert (order.refunded_total, order.state) == (Decimal("20.80"), "placed")

    def test_of_all_of_it_makes_the_order_a_refunded_one(
        self, deliver: Deliver, order_body: Build, refund_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("refunds/create", refund_body("100.00"))
        deliver("refunds/create", refund_body("19.80", id=9002))

        order = Order.objects.get()
        assert (order.refunded_total, order.state) == (Decimal("119.80"), "refunded")

    def test_before_its_order_is_kept_for_it(self, deliver: Deliver, order_body: Build, refund_body: Build) -> None:
        report = deliver("refunds/create", refund_body("20.00"))
        deliver("orders/create", order_body())

        assert (report.processed, report.failed) == (1, 0)
        assert Order.objects.get().refunded_total == Decimal("20.00")

    def test_that_the_order_tells_of_as_well_counts_once(
        self, deliver: Deliver, order_body: Build, refund_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("refunds/create", refund_body("20.00"))
        deliver("orders/updated", order_body(updated_at=ago(minutes=50), refunds=[refund_body("20.00")]))

        assert Order.objects.get().refunded_total == Decimal("20.00")
        assert RefundSeen.objects.count() == 1

    def test_of_more_than_was_paid_is_all_of_it(self, deliver: Deliver, order_body: Build, refund_body: Build) -> None:
        deliver("orders/create", order_body())
        deliver("refunds/create", refund_body("500.00"))

        assert Order.objects.get().refunded_total == Decimal("119.80")

    def test_in_a_currency_that_the_order_is_not_in_needs_fixing(
        self, deliver: Deliver, order_body: Build, refund_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        dollars = {"kind": "refund", "status": "success", "amount": "1.00", "currency": "USD"}

        report = deliver("refunds/create", refund_body(transactions=[dollars]))

        assert report.quarantined == 1
        assert InboxItem.objects.get().error == "Cannot be used: currency: The refund is in USD, its order in EUR."
        assert not RefundSeen.objects.exists()

    def test_of_goods_alone_changes_nothing(self, deliver: Deliver, order_body: Build, refund_body: Build) -> None:
        deliver("orders/create", order_body())

        report = deliver("refunds/create", refund_body(transactions=[]))

        assert report.processed == 1
        assert Order.objects.get().refunded_total == 0


@pytest.mark.django_db(transaction=True)
def test_refunds_of_one_order_at_the_same_moment_add_up(
    post_webhook: Any, deliver: Deliver, order_body: Build, refund_body: Build
) -> None:
    deliver("orders/create", order_body())
    for number in range(8):
        post_webhook("refunds/create", refund_body("5.00", id=9100 + number))
    InboxItem.objects.update(due_at=NOW)

    def work(_: int) -> None:
        try:
            pipeline.process_batch(now=NOW, limit=2)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for _ in range(8):
        InboxItem.objects.update(due_at=NOW, lease_until=None)
        pipeline.process_batch(now=NOW)

    assert not InboxItem.objects.exists()
    assert Order.objects.get().refunded_total == Decimal("40.00")


class TestACheckout:
    def test_puts_the_shopper_at_the_till(self, deliver: Deliver, checkout_body: Build) -> None:
        deliver("checkouts/create", checkout_body())
        deliver("checkouts/update", checkout_body(updated_at=ago(hours=1), total_price="59.90"))
        deliver("checkouts/update", checkout_body(updated_at=ago(hours=2)))

        checkout = Checkout.objects.get()
        assert (checkout.started_at, checkout.active_at) == (NOW - timedelta(hours=3), NOW - timedelta(hours=1))
        assert (checkout.total, checkout.completed_at) == (Decimal("59.90"), None)
        shopper = Customer.objects.get()
        story = customer_services.timeline(customer=shopper, kinds=["checkout"])
        assert [(entry.title, entry.at) for entry in story] == [("At the checkout", NOW - timedelta(hours=1))]

    @pytest.mark.parametrize("order_first", [True, False])
    def test_ends_with_the_order_that_came_of_it(
        self, deliver: Deliver, checkout_body: Build, order_body: Build, order_first: bool
    ) -> None:
        said = [("checkouts/create", checkout_body()), ("orders/create", order_body())]

        for each in reversed(said) if order_first else said:
            deliver(*each)

        assert Checkout.objects.get().completed_at == NOW - timedelta(hours=2)

    def test_of_nobody_is_passed_over(self, deliver: Deliver, checkout_body: Build) -> None:
        deliver("checkouts/create", checkout_body(email=None))

        assert not Checkout.objects.exists()
        assert outcome().last_reason == "Nobody is named yet at this checkout."


class TestAShipment:
    def test_is_recorded_once(self, deliver: Deliver, order_body: Build, fulfilment_body: Build) -> None:
        deliver("orders/create", order_body())
        for topic in ("fulfillments/create", "fulfillments/update", "fulfillments/create"):
            deliver(topic, fulfilment_body())

        shipment = Fulfilment.objects.get()
        assert (shipment.state, shipment.shipped_at) == ("shipped", NOW - timedelta(minutes=50))
        assert shipment.tracking_url == "https://track.example.com/1"
        assert Fact.objects.filter(kind=FactKind.ORDER_FULFILLED).count() == 1

    def test_that_is_called_back_stays_so(self, deliver: Deliver, order_body: Build, fulfilment_body: Build) -> None:
        deliver("orders/create", order_body())
        deliver("fulfillments/update", fulfilment_body(status="cancelled", updated_at=ago(minutes=10)))
        deliver("fulfillments/create", fulfilment_body())

        assert Fulfilment.objects.get().state == "cancelled"

    def test_that_the_order_tells_of_counts_as_well(
        self, deliver: Deliver, order_body: Build, fulfilment_body: Build
    ) -> None:
        deliver("orders/updated", order_body(fulfillments=[fulfilment_body()]))

        assert Fulfilment.objects.get().order.order_id == "5000000000001"

    def test_before_its_order_waits_for_it_and_then_needs_a_person(
        self, deliver: Deliver, process: Any, order_body: Build, fulfilment_body: Build
    ) -> None:
        report = deliver("fulfillments/create", fulfilment_body())
        assert (report.failed, report.processed) == (1, 0)

        for _ in range(MAX_ATTEMPTS):
            process()

        item = InboxItem.objects.get()
        assert item.state == InboxState.QUARANTINED
        assert "is not known yet" in item.error
        deliver("orders/create", order_body())
        services.replay(deliveries=WebhookDelivery.objects.filter(pk=item.pk), now=NOW)
        process()
        assert Fulfilment.objects.count() == 1


class TestACustomer:
    def test_has_number_and_address_tied_and_a_name(self, deliver: Deliver, customer_body: Build) -> None:
        deliver("customers/create", customer_body(locale="de-DE", tags="VIP, wool"))

        customer = Customer.objects.get()
        assert (customer.external_id, customer.email, customer.name) == ("700001", "anna@example.com", "Anna Berg")
        assert customer.attributes["country"] == "DE"
        assert (customer.attributes["locale"], customer.attributes["tags"]) == ("de-DE", ["VIP", "wool"])
        assert customer.last_seen_at is None

    def test_is_what_was_said_last(self, deliver: Deliver, customer_body: Build) -> None:
        deliver("customers/update", customer_body(last_name="Holm", updated_at=ago(hours=1)))
        deliver("customers/create", customer_body())

        assert Customer.objects.get().name == "Anna Holm"

    def test_keeps_tags_that_a_body_does_not_speak_of(self, deliver: Deliver, customer_body: Build) -> None:
        gid = "gid://shopify/Customer/700001"
        deliver("customer.tags_added", {"customerId": gid, "tags": ["VIP", "wool"], "occurredAt": ago(hours=5)})
        deliver("customers/update", customer_body())
        deliver("customer.tags_removed", {"customerId": gid, "tags": ["wool"], "occurredAt": ago(hours=3)})
        deliver("customer.tags_added", {"customerId": gid, "tags": ["wool"], "occurredAt": ago(hours=4)})

        assert Customer.objects.get().attributes["tags"] == ["VIP"]


class TestConsent:
    def test_is_recorded_with_how_and_when(self, deliver: Deliver, consent_body: Build) -> None:
        for _ in range(2):
            deliver("customers_email_marketing_consent/update", consent_body())

        answer = customer_services.has_consent(customer=Customer.objects.get())
        change = ConsentChange.objects.get()
        assert answer.granted
        assert (change.source, change.occurred_at) == ("Shopify (confirmed opt-in)", NOW - timedelta(days=1))

    @pytest.mark.parametrize("states", [("subscribed", "unsubscribed"), ("unsubscribed", "subscribed")])
    def test_is_what_was_said_last_whatever_came_last(
        self, deliver: Deliver, consent_body: Build, states: tuple[str, str]
    ) -> None:
        older, newer = (consent_body(state, at=ago(hours=9 - 3 * place)) for place, state in enumerate(states))
        for body in (newer, older):
            deliver("customers_email_marketing_consent/update", body)

        assert customer_services.has_consent(customer=Customer.objects.get()).granted == (states[1] == "subscribed")

    @pytest.mark.parametrize("state", ["not_subscribed", "pending"])
    def test_that_is_no_answer_is_passed_over(self, deliver: Deliver, consent_body: Build, state: str) -> None:
        deliver("customers_email_marketing_consent/update", consent_body(state))

        assert not ConsentChange.objects.exists()
        assert outcome().passed_over == 1

    def test_of_an_older_version_stands_in_the_customer(self, deliver: Deliver, customer_body: Build) -> None:
        said = {"state": "subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": ago(days=3)}
        deliver("customers/update", customer_body(email_marketing_consent=said))

        assert ConsentChange.objects.get().source == "Shopify (single opt-in)"


class TestAProduct:
    def test_is_in_the_catalogue_with_its_variants(self, deliver: Deliver, product_body: Build) -> None:
        deliver("products/create", product_body())

        red, blue = Product.objects.order_by("sku")
        assert (red.url_key, red.url) == ("/products/wool-scarf", "https://shop.example.com/products/wool-scarf")
        assert (red.price, red.sale_price, red.currency) == (Decimal("79.90"), Decimal("59.90"), "EUR")
        assert (blue.price, blue.sale_price, blue.availability) == (Decimal("69.90"), None, "out_of_stock")
        assert (red.image_url, blue.image_url) == (
            "https://cdn.example.com/scarf-red.jpg",
            "https://cdn.example.com/scarf.jpg",
        )
        assert (red.brand, red.category, red.group_sku) == ("Nordlicht", "Scarves", "3001")

    def test_that_loses_a_variant_or_is_taken_off_the_shelf_leaves(self, deliver: Deliver, product_body: Build) -> None:
        deliver("products/create", product_body())
        one = product_body()["variants"][:1]
        deliver("products/update", product_body(variants=one, updated_at=ago(hours=9)))
        assert list(Product.objects.filter(is_active=True).values_list("sku", flat=True)) == ["8001"]

        deliver("products/update", product_body(status="draft", updated_at=ago(hours=8)))
        assert not Product.objects.filter(is_active=True).exists()

    def test_that_was_deleted_does_not_come_back_late(self, deliver: Deliver, product_body: Build) -> None:
        deliver("products/create", product_body())
        deliver("products/delete", {"id": 3001})
        deliver("products/update", product_body(updated_at=ago(minutes=5)))

        assert not Product.objects.filter(is_active=True).exists()

    def test_keeps_what_a_person_set(self, deliver: Deliver, product_body: Build) -> None:
        deliver("products/create", product_body())
        red = Product.objects.get(sku="8001")
        red.title, red.kept_fields = "The red scarf", ["title"]
        red.save()

        deliver("products/update", product_body(title="Scarf", vendor="New", updated_at=ago(hours=9)))

        red.refresh_from_db()
        assert (red.title, red.brand) == ("The red scarf", "New")

    def test_keeps_what_a_person_set_when_a_feed_told_of_it_before(
        self, deliver: Deliver, product_body: Build, project: Project
    ) -> None:
        feed = ProductFeed.objects.create(project=project, url="https://shop.example.com/feed.xml")
        hand_made = {"title": "The red scarf", "is_active": False, "kept_fields": ["is_active", "title"]}
        page = "https://shop.example.com/products/wool-scarf"
        red = Product.objects.create(
            project=project,
            feed=feed,
            sku="8001",
            url=page,
            url_key="/products/wool-scarf",
            first_seen_at=NOW,
            **hand_made,
        )

        deliver("products/create", product_body())

        red.refresh_from_db()
        assert (red.title, red.is_active, red.group_sku) == ("The red scarf", False, "3001")

    def test_with_a_variant_named_twice_is_taken_once(self, deliver: Deliver, product_body: Build) -> None:
        variants = product_body()["variants"]

        report = deliver("products/create", product_body(variants=[*variants, *variants]))

        assert (report.processed, Product.objects.count()) == (1, 2)


def test_a_demand_that_names_nobody_erases_nobody(deliver: Deliver, order_body: Build, shop: ShopConnection) -> None:
    deliver("orders/create", order_body())
    demand = PrivacyDemand(request_id="1", identifiers={}, order_ids=[])

    erased = people.erase_on_request(shop=shop, said=demand, reference="1", come_at=NOW, now=NOW)

    assert erased == 0
    assert Customer.objects.count() == 1


class TestWhatTheLawAsks:
    DEMAND = {
        "shop_id": 954889,
        "shop_domain": "nordlicht-test.myshopify.com",
        "customer": {"id": 700001, "email": "anna@example.com", "phone": None},
    }

    def test_a_request_for_data_is_a_task_for_the_team(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body())

        deliver("customers/data_request", self.DEMAND | {"data_request": {"id": 99}, "orders_requested": [1]})

        request = PrivacyRequest.objects.get()
        assert (request.kind, request.reference, request.done_at) == ("DATA_REQUEST", "99", None)
        assert request.identifier is not None
        assert request.due_at == request.received_at + timedelta(days=30)

    def test_a_redaction_erases_the_person_for_good(
        self, deliver: Deliver, process: Any, order_body: Build, customer_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("customers/update", customer_body())

        deliver("customers/redact", self.DEMAND | {"orders_to_redact": [5000000000001]})

        assert not Customer.objects.exists()
        assert Order.objects.exists()  # the webhook's transaction stays short: the rest is left to the workers
        customer_services.continue_erasures(now=NOW)
        assert not Order.objects.exists()
        assert not WebhookDelivery.objects.exists()
        request = PrivacyRequest.objects.get()
        assert request.done_at == NOW
        assert "1 profile is erased" in request.note
        deliver("orders/updated", order_body(updated_at=ago(minutes=1)))
        assert not Customer.objects.exists()
        assert not WebhookDelivery.objects.exists()

    def test_a_redaction_leaves_no_number_of_the_shop_behind(
        self, deliver: Deliver, shop: ShopConnection, order_body: Build, fulfilment_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("fulfillments/create", fulfilment_body())
        shop.differences.create(order_id="5000000000001", what="#1001 was missing.", found_at=NOW)

        deliver("customers/redact", self.DEMAND)
        customer_services.continue_erasures(now=NOW)
        deliver("fulfillments/update", fulfilment_body(updated_at=ago(minutes=1), email="anna@example.com"))

        assert not shop.differences.exists()
        assert not shop.objects_seen.exists()
        assert not WebhookDelivery.objects.exists()

    def test_a_refund_after_a_redaction_brings_no_number_back_until_the_person_agrees_again(
        self, deliver: Deliver, shop: ShopConnection, order_body: Build, refund_body: Build, fulfilment_body: Build
    ) -> None:
        deliver("orders/create", order_body())
        deliver("customers/redact", self.DEMAND)
        customer_services.continue_erasures(now=NOW)

        for _ in range(2):
            report = deliver("refunds/create", refund_body("20.00"))
            assert (report.processed, report.failed, report.quarantined) == (1, 0, 0)
        deliver("fulfillments/create", fulfilment_body(email=None, destination=None))
        deliver("orders/updated", order_body(customer=None, email=None, contact_email=None))

        assert not RefundSeen.objects.exists()
        assert not shop.objects_seen.exists()
        assert not WebhookDelivery.objects.exists()
        assert tables_that_say(["5000000000001"]) == []
        customer_services.record_consent(
            project=shop.project, identifiers={"email": "anna@example.com"}, granted=True, source="form",
            now=NOW + timedelta(days=1),
        )  # fmt: skip
        deliver("refunds/create", refund_body("20.00"))
        deliver("orders/updated", order_body())
        assert Order.objects.get().refunded_total == Decimal("20.00")

    def test_a_redaction_of_nobody_known_keeps_them_out(self, deliver: Deliver, order_body: Build) -> None:
        deliver("customers/redact", self.DEMAND)
        deliver("orders/create", order_body())

        assert not Customer.objects.exists()
        assert PrivacyRequest.objects.get().note == "Nothing was stored of this person."

    def test_the_shops_redaction_waits_for_a_person(self, deliver: Deliver, order_body: Build) -> None:
        deliver("orders/create", order_body())

        deliver("shop/redact", {"shop_id": 954889, "shop_domain": "nordlicht-test.myshopify.com"})

        assert PrivacyRequest.objects.get(kind="SHOP_ERASURE").done_at is None
        assert Customer.objects.exists()

    def test_the_removal_of_the_app_ends_asking_the_shop(self, deliver: Deliver, shop: ShopConnection) -> None:
        deliver("app/uninstalled", {"id": 1}, at=NOW - timedelta(hours=1))
        shop.refresh_from_db()
        assert shop.may_ask

        deliver("app/uninstalled", {"id": 1}, at=NOW + timedelta(hours=1), now=NOW + timedelta(hours=1))
        shop.refresh_from_db()
        assert (shop.may_ask, shop.access_token) == (False, "")


def test_an_unknown_topic_is_kept_and_counted(deliver: Deliver) -> None:
    report = deliver("collections/update", {"id": 1, "anything": [1, 2]})

    assert (report.processed, report.quarantined) == (1, 0)
    assert WebhookDelivery.objects.count() == 1
    assert (outcome().topic, outcome().passed_over) == ("collections/update", 1)


def test_signals_and_shops_share_the_inbox(
    deliver: Deliver, post_webhook: Any, post_signal: Any, example_body: Any, order_body: Build, process: Any
) -> None:
    post_signal(example_body(), at=NOW)
    post_webhook("orders/create", order_body(customer=None))
    post_signal(example_body(num_events=26), at=NOW)

    report = process()

    assert (report.claimed, report.processed) == (3, 3)
    customer = Identifier.objects.get(kind="external_id", value="anna-1").customer
    assert Order.objects.get().identifier.customer == customer
    assert not InboxItem.objects.exists()
