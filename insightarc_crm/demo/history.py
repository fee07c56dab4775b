"""
The demo store's past, lived through by the program itself.

Simulated shoppers browse, sign up and order; every signal goes through the inbox, every mail through the outbox, a
couple of hours at a time. Nothing here writes a score, a match or a mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from django.db import transaction

from insightarc_crm.due_work import process_due
from signals_app.customers import services as customer_services
from signals_app.customers.constants import Channel, Topic
from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.projects.models import Project
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import simulation, twin
from signals_app.webhooks.constants import DeliveryVerdict
from signals_app.webhooks.javascript import stringify
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource

SHOPPERS = 220
STEP = timedelta(hours=2)


def live_through(*, source: WebhookSource, start: datetime, end: datetime, report: Callable[[str], object]) -> None:
    """Let the demo store live from `start` to `end`; `report` is told each day."""
    project = source.project
    events = simulation.history(
        seed=simulation.DEFAULT_SEED,
        shop=simulation.default_shop(project.shop_url),
        shoppers=SHOPPERS,
        start=start,
        end=end,
    )
    by_step = {step: list(group) for step, group in groupby(events, key=lambda event: (event.at - start) // STEP)}
    for step in range((end - start) // STEP + 1):
        moment = min(start + (step + 1) * STEP, end)
        _take_in(source, by_step.get(step, []))
        process_due(clock=_standing_still(moment))
        date_back(project=project, to=moment)
        if not (step + 1) * STEP % timedelta(days=1):
            report(f"{moment:%d %b}")


def _standing_still(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def sign_up(*, project: Project, at: datetime) -> None:
    """Record the newsletter sign-ups of the shoppers who have consented."""
    shop = simulation.default_shop(project.shop_url)
    for number in range(SHOPPERS):
        person = simulation.shopper(number, seed=simulation.DEFAULT_SEED, shop=shop)
        if not person.is_logged_in:
            continue
        customer_services.identify(
            project=project,
            identifiers={"external_id": person.user_id, "email": person.email},
            attributes=dict(zip(("first_name", "last_name"), person.name.split(" "), strict=True)),
            time_zone=None,
            now=at,
        )
        if person.has_consented:
            customer_services.record_consent(
                project=project,
                identifiers={"email": person.email},
                channel=Channel.EMAIL,
                topic=Topic.MARKETING,
                granted=True,
                source="newsletter sign-up",
                occurred_at=at,
                now=at,
            )
    date_back(project=project, to=at)


def _take_in(source: WebhookSource, events: Iterable[simulation.Event]) -> None:
    """Put the signals of a step into the inbox as if they had been received then, and record its orders."""
    deliveries = []
    for event in events:
        if isinstance(event, simulation.Purchase):
            _record_order(source.project, event)
            continue
        body = stringify(event.body).encode()
        deliveries.append(
            WebhookDelivery(
                source=source,
                received_at=event.at,
                verdict=DeliveryVerdict.ACCEPTED,
                body=body,
                body_sha256=hashlib.sha256(body).digest(),
                content_type="application/json",
            )
        )
    with transaction.atomic():
        WebhookDelivery.objects.bulk_create(deliveries)
        InboxItem.objects.bulk_create(
            InboxItem(delivery=delivery, source=source, due_at=delivery.received_at) for delivery in deliveries
        )


def _record_order(project: Project, purchase: simulation.Purchase) -> None:
    facts = twin.order(purchase)
    customer_services.record_order(
        project=project,
        identifiers={kind: facts[kind] for kind in ("external_id", "email") if kind in facts},
        order_id=facts["order_id"],
        total=Decimal(facts["total"]),
        currency=facts["currency"],
        placed_at=purchase.at,
        items=facts["items"],
        now=purchase.at,
    )


def date_back(*, project: Project, to: datetime) -> None:
    """Give rows that were made just now, in the past's name, the time at which they came to be."""
    for rows, field in (
        (Customer.objects.filter(project=project), "created_at"),
        (Identifier.objects.filter(project=project), "created_at"),
        (IdentityEdge.objects.filter(project=project), "created_at"),
        (ShopperSignal.objects.filter(project=project), "recorded_at"),
        (RuleMatch.objects.filter(project=project), "created_at"),
        (EmailMessage.objects.filter(project=project), "created_at"),
        (MailboxMail.objects.filter(project=project), "received_at"),
    ):
        rows.filter(**{f"{field}__gt": to}).update(**{field: to})
