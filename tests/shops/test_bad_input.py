"""What cannot be used is kept for a person with its reason, and nothing of it is half written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.catalog.models import Product
from signals_app.core.exceptions import PermanentError
from signals_app.customers.models import Checkout, ConsentChange, Customer, Fulfilment, Identifier, Order
from signals_app.shops import nodes, payload
from signals_app.shops.models import RefundSeen, ShopObject
from signals_app.shops.services.topics import HANDLERS
from signals_app.webhooks import problems
from signals_app.webhooks.constants import InboxState, Problem
from signals_app.webhooks.models import InboxItem, WebhookDelivery
from tests.shops.conftest import Build

LONG = "9" * 400
Deliver = Callable[..., Any]

BAD_ORDERS = [
    ({"id": None}, "id: The number is missing."),
    ({"id": LONG}, "id: Longer than 100 characters."),
    ({"id": True}, "id: The number is missing."),
    ({"id": {"a": 1}}, "id: The number is missing."),
    ({"id": "1\x00"}, "id: This is not a number of the shop."),
    ({"customer": {"id": LONG}}, "customer.id: Longer than 100 characters."),
    ({"total_price": "-1.00"}, "total_price: Must not be negative."),
    ({"total_price": None}, "total_price: The amount is missing."),
    ({"total_price": "NaN"}, "total_price: “NaN” is not an amount."),
    ({"total_price": "Infinity"}, "total_price: “Infinity” is not an amount."),
    ({"total_price": "1e99"}, "total_price: Larger than any amount that can be kept."),
    ({"total_price": "12,50"}, "total_price: “12,50” is not an amount."),
    ({"total_price": [1]}, "total_price: The amount is missing."),
    ({"currency": "XXX"}, "currency: “XXX” is not a currency that is known."),
    ({"currency": "eur"}, "currency: “eur” is not a currency that is known."),
    ({"currency": None}, "currency: The currency is missing."),
    ({"created_at": None, "processed_at": None}, "created_at: The time is missing."),
    ({"updated_at": "yesterday"}, "updated_at: “yesterday” is not a moment with its time zone."),
    ({"updated_at": "2026-11-24T10:00:00"}, "updated_at: “2026-11-24T10:00:00” is not a moment with its time zone."),
    ({"updated_at": "9999-12-31T23:59:59-12:00"}, "updated_at: “9999-12-31T23:59:59-12:00” is not a moment"),
    ({"email": "not an address"}, "email: Enter a valid e-mail address."),
    ({"email": "a" * 300 + "@example.com"}, "email: Longer than 255 characters."),
    ({"customer": {"id": "undefined"}}, "external_id: “undefined” is a placeholder, not an ID."),
    ({"line_items": [{"price": "-3.00"}]}, "line_items.price: Must not be negative."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("changes", "reason"), BAD_ORDERS)
def test_a_bad_order_needs_fixing_and_leaves_nothing_behind(
    deliver: Deliver, order_body: Build, changes: dict[str, Any], reason: str
) -> None:
    report = deliver("orders/create", order_body(**changes))

    assert (report.processed, report.quarantined) == (0, 1)
    item = InboxItem.objects.get()
    assert item.state == InboxState.QUARANTINED
    assert item.error.startswith(f"Cannot be used: {reason}")
    assert problems.problem_of(item.error) is Problem.CANNOT_BE_USED
    assert WebhookDelivery.objects.count() == 1
    for model in (Order, Customer, Identifier, RefundSeen, ShopObject):
        assert not model._default_manager.exists(), model


@pytest.mark.django_db
@pytest.mark.parametrize("topic", [topic for topic in HANDLERS if topic not in ("app/uninstalled", "shop/redact")])
@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": [], "customer": 3, "transactions": "x"}])
def test_a_body_without_what_it_needs_needs_fixing(deliver: Deliver, topic: str, body: dict[str, Any]) -> None:
    report = deliver(topic, body)

    assert (report.quarantined, report.failed) == (1, 0)
    for model in (Order, Customer, Checkout, Fulfilment, ConsentChange, Product):
        assert not model._default_manager.exists(), model


@pytest.mark.django_db
def test_a_bad_one_holds_up_no_other(post_webhook: Any, process: Any, order_body: Build, refund_body: Build) -> None:
    post_webhook("orders/create", order_body(currency="???"))
    post_webhook("orders/create", order_body(id=2))
    post_webhook("refunds/create", refund_body("-5.00", order_id=2))
    post_webhook("orders/create", order_body(id=3))

    report = process()

    assert (report.processed, report.quarantined) == (2, 2)
    assert sorted(Order.objects.values_list("order_id", flat=True)) == ["2", "3"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
READERS = {
    "order": payload.order,
    "refund": payload.refund,
    "fulfilment": payload.fulfilment,
    "checkout": payload.checkout,
    "customer": payload.customer,
    "consent": payload.consent,
    "product": payload.product,
    "demand": payload.privacy_demand,
    "deleted": payload.deleted_id,
    "order of the API": nodes.order,
    "customer of the API": nodes.customer,
    "product of the API": nodes.product,
}
KEYS = [
    "id",
    "order_id",
    "email",
    "currency",
    "total_price",
    "created_at",
    "updated_at",
    "customer",
    "line_items",
    "refunds",
    "fulfillments",
    "transactions",
    "token",
    "title",
    "handle",
    "variants",
    "images",
    "image",
    "status",
    "email_marketing_consent",
    "customer_id",
    "totalPriceSet",
    "lineItems",
    "tags",
    "defaultEmailAddress",
    "createdAt",
    "updatedAt",
    "default_address",
    "orders_requested",
    "featuredMedia",
]


@given(body=st.dictionaries(st.sampled_from(KEYS), JSON), reader=st.sampled_from(sorted(READERS)))
def test_whatever_a_body_holds_it_is_read_or_refused(body: dict[str, Any], reader: str) -> None:
    try:
        READERS[reader](body)
    except PermanentError:
        return


@given(raw=st.binary(max_size=200))
def test_whatever_bytes_come_they_are_an_object_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(payload.decode(raw), dict)
    except PermanentError:
        return
