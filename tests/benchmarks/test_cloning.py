"""Copies of stored signals, for measuring with many: they are what the pipeline would have made."""

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks import orders
from signals_app.customers.models import Customer, Identifier
from signals_app.remarketing.models import RuleMatch
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.webhooks import pipeline
from signals_app.webhooks.models import SeenBody, WebhookDelivery

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="copies are made by PostgreSQL"),
]


def test_copies_have_the_shape_of_their_originals_and_go_on_growing() -> None:
    orders.set_up(url="https://crm.example.com/webhooks/insightarc/{source_id}/", secret="whsec_test", rules=20)
    orders.fill(first=0, count=150, shoppers=12)
    pipeline.process_batch(now=timezone.now())
    matches, interests = RuleMatch.objects.count(), Interest.objects.count()

    rows = orders.clone(copies=2)

    assert rows["ShopperSignal"] == ShopperSignal.objects.count() == WebhookDelivery.objects.count() == 450
    assert SeenBody.objects.values("body_sha256").distinct().count() == 450
    assert Customer.objects.count() == IntentProfile.objects.count() == 36
    assert (RuleMatch.objects.count(), Interest.objects.count()) == (3 * matches, 3 * interests)
    assert matches > 0
    copy = Identifier.objects.get(value="c2.u3")
    assert copy.customer.external_id == "c2.u3"
    assert copy.customer.identifiers.get(kind="email").value == "c2.u3@shopper.example"
    original = Identifier.objects.get(value="u3")
    assert copy.shopper_signals.count() == original.shopper_signals.count()
    assert copy.customer.intent_profile.last_signal_id in copy.shopper_signals.values_list("pk", flat=True)
    assert (
        copy.shopper_signals.latest("received_at").received_at
        < original.shopper_signals.earliest("received_at").received_at
    )
    newest = WebhookDelivery.objects.order_by("-pk")[:150]
    assert set(newest) == set(WebhookDelivery.objects.order_by("-received_at")[:150]), "ids follow the time"

    orders.fill(first=150, count=20, shoppers=12)  # numbers of rows go on behind the copies
    pipeline.process_batch(now=timezone.now())
    assert ShopperSignal.objects.count() == 470
