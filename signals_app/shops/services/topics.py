"""What is done with a webhook of a shop: one table of topics, one function a topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from signals_app.customers.exceptions import ErasedIdentifier, InvalidInput
from signals_app.customers.models import Identifier
from signals_app.shops import payload
from signals_app.shops.exceptions import NothingToDo, OrderNotKnown, UnusableData
from signals_app.shops.models import ShopConnection, ShopTopic
from signals_app.shops.services import orders, people, products
from signals_app.shops.services.orders import Put
from signals_app.shops.values import Json


@dataclass(frozen=True, slots=True)
class Webhook:
    """A verified webhook; `come_at` is when the shop triggered it, else when it came."""

    topic: str
    reference: str
    """What names it: the id of its delivery."""
    come_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """`identifier` is whom it was about; `must_forget`: its bytes name somebody who was erased."""

    identifier: Identifier | None = None
    passed_over: str = ""
    must_forget: bool = False


Handler = Callable[[ShopConnection, Json, Webhook, datetime], Put]


def apply(*, shop: ShopConnection, webhook: Webhook, body: bytes, now: datetime) -> Outcome:
    """
    Do what a webhook says, in the caller's transaction; done again it changes nothing more.

    :raises UnusableData: if something that it cannot do without is missing or wrong; nothing is changed then.
    :raises OrderNotKnown: if it has to wait for its order.
    """
    try:
        with transaction.atomic():
            handler = HANDLERS.get(webhook.topic)
            if handler is None:
                raise NothingToDo("We have no use for this topic.")
            done = handler(shop, payload.decode(body), webhook, now)
    except NothingToDo as nothing:
        return Outcome(passed_over=str(nothing))
    except ErasedIdentifier:
        return Outcome(passed_over="It names a person who was erased.", must_forget=True)
    except InvalidInput as error:
        raise UnusableData(error.field, error.message) from error
    return Outcome(done.identifier, done.reason, must_forget=webhook.topic == "customers/redact")


def count(*, shop: ShopConnection, webhook: Webhook, outcome: Outcome) -> None:
    """Count a webhook that was processed; last in its transaction, since all of a topic wait for one row."""
    passed = bool(outcome.passed_over)
    row = ShopTopic.objects.filter(shop=shop, topic=webhook.topic)
    first = ShopTopic(shop=shop, topic=webhook.topic, last_at=webhook.come_at)
    ShopTopic.objects.bulk_create([first], ignore_conflicts=True)
    said = {"last_reason": outcome.passed_over[:200]} if passed else {}
    row.update(
        processed=F("processed") + 1,
        passed_over=F("passed_over") + int(passed),
        last_at=Greatest(F("last_at"), webhook.come_at),
        **said,
    )


def _order(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return orders.put_order(shop=shop, said=payload.order(said), now=now)


def _refund(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return orders.put_refund(shop=shop, said=payload.refund(said), now=now)


def _checkout(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return orders.put_checkout(shop=shop, said=payload.checkout(said), now=now)


def _fulfilment(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    try:
        return orders.put_fulfilment(shop=shop, said=payload.fulfilment(said), now=now)
    except OrderNotKnown:
        # Of somebody who was erased the order never comes; their name and address must not wait for it.
        people.refuse_erased(shop=shop, identifiers=payload.shipped_to(said))
        raise


def _customer(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return people.put_customer(shop=shop, said=payload.customer(said), now=now)


def _tags_added(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    change = payload.tag_change(said, is_added=True)
    return people.change_tags(shop=shop, said=change, come_at=webhook.come_at, now=now)


def _tags_removed(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    change = payload.tag_change(said, is_added=False)
    return people.change_tags(shop=shop, said=change, come_at=webhook.come_at, now=now)


def _consent(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return people.put_consent(shop=shop, said=payload.consent(said), come_at=webhook.come_at, now=now)


def _product(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return products.put_product(shop=shop, said=payload.product(said), now=now)


def _product_deleted(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    product_id = payload.deleted_id(said)
    return products.delete_product(shop=shop, product_id=product_id, deleted_at=webhook.come_at, now=now)


def _data_request(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    return people.note_data_request(
        shop=shop,
        said=payload.privacy_demand(said),
        reference=webhook.reference,
        come_at=webhook.come_at,
        now=now,
    )


def _redact(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    people.erase_on_request(
        shop=shop,
        said=payload.privacy_demand(said),
        reference=webhook.reference,
        come_at=webhook.come_at,
        now=now,
    )
    return Put(is_changed=True)


def _shop_redact(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    people.note_shop_erasure(shop=shop, reference=webhook.reference, come_at=webhook.come_at)
    return Put(is_changed=True)


def _uninstalled(shop: ShopConnection, said: Json, webhook: Webhook, now: datetime) -> Put:
    if shop.token_given_at is not None and shop.token_given_at > webhook.come_at:
        return Put(reason="The shop was connected again since.")
    shop.access_token, shop.token_expires_at, shop.uninstalled_at = "", None, webhook.come_at
    shop.subscribed_topics = []
    shop.save(update_fields=["access_token", "token_expires_at", "uninstalled_at", "subscribed_topics", "updated_at"])
    return Put(is_changed=True)


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("orders/create", "orders/updated", "orders/paid", "orders/cancelled"), _order),
    "refunds/create": _refund,
    **dict.fromkeys(("checkouts/create", "checkouts/update"), _checkout),
    **dict.fromkeys(("fulfillments/create", "fulfillments/update"), _fulfilment),
    **dict.fromkeys(("customers/create", "customers/update"), _customer),
    "customer.tags_added": _tags_added,
    "customer.tags_removed": _tags_removed,
    "customers_email_marketing_consent/update": _consent,
    **dict.fromkeys(("products/create", "products/update"), _product),
    "products/delete": _product_deleted,
    "customers/data_request": _data_request,
    "customers/redact": _redact,
    "shop/redact": _shop_redact,
    "app/uninstalled": _uninstalled,
}
