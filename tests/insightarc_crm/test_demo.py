from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from insightarc_crm.demo import history, seed
from insightarc_crm.demo.accounts import ACCOUNTS, PASSWORD
from insightarc_crm.management.commands.demo import simulator_arguments
from signals_app.catalog.models import Product
from signals_app.customers.models import IdentityEdge
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.projects.models import Membership
from signals_app.remarketing.models import RuleMatch
from signals_app.segments import services as segment_services
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.shops.models import ShopConnection
from signals_app.webhooks.models import WebhookSecret, WebhookSource

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def be_silent(day: str) -> None:
    """Take a day's report and say nothing."""


@pytest.fixture
def short_past(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(seed, "DAYS", 3)
    monkeypatch.setattr(seed, "SMALLEST_GAP", timedelta(days=1))
    monkeypatch.setattr(history, "SHOPPERS", 20)


def test_the_demo_lives_through_its_past_once(short_past: None) -> None:
    project = seed.seed_demo(now=NOW, report=be_silent)

    signals, mails = ShopperSignal.objects.count(), MailboxMail.objects.count()
    assert project.is_demo
    assert signals > 20
    assert mails == EmailMessage.objects.filter(state="sent").count() > 0
    assert Product.objects.exclude(image_url="").count() == 24
    assert not ShopperSignal.objects.filter(received_at__gt=NOW).exists()
    assert not RuleMatch.objects.filter(created_at__gt=NOW).exists()
    assert not IdentityEdge.objects.filter(created_at__gt=NOW).exists()
    for segment in project.segments.all():
        assert segment_services.count_and_sample(project=project, tree=segment.conditions, now=NOW).count < 20

    seed.seed_demo(now=NOW + timedelta(hours=1), report=be_silent)

    assert (ShopperSignal.objects.count(), MailboxMail.objects.count()) == (signals, mails)


def test_the_printed_logins_open_the_demo_store(short_past: None) -> None:
    project = seed.seed_demo(now=NOW, report=be_silent)

    for account in ACCOUNTS:
        user = authenticate(RequestFactory().get("/"), username=account.email, password=PASSWORD)
        assert Membership.objects.get(project=project, user=user).role == account.role


def test_the_demo_starts_again_after_somebody_connected_a_shop_at_shopify(short_past: None) -> None:
    project = seed.seed_demo(now=NOW, report=be_silent)
    before = simulator_arguments("http://127.0.0.1:8000")
    shop = WebhookSource.objects.create(
        project=project, shop=ShopConnection.objects.create(project=project, domain="a.myshopify.com")
    )
    WebhookSecret.objects.create(source=shop, secret="shpss_" + "a" * 32)

    again = simulator_arguments("http://127.0.0.1:8000")

    assert again[:-1] == before[:-1]  # the key is a new one each time


def test_the_simulated_shop_has_one_key_at_a_time(short_past: None) -> None:
    project = seed.seed_demo(now=NOW, report=be_silent)

    first, second = (seed.shop_key(project, now=NOW) for _ in range(2))

    assert first != second
    assert project.api_keys.filter(revoked_at=None, name=seed.KEY_NAME).count() == 1
