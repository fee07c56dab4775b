"""Making the demo store, and letting it live until now."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from insightarc_crm.demo.accounts import create_accounts
from insightarc_crm.demo.history import live_through, sign_up
from insightarc_crm.demo.segments import add_segments
from insightarc_crm.demo.shop import add_coupons, import_products
from insightarc_crm.project_setup import Examples, install_examples
from signals_app.projects import services as project_services
from signals_app.projects.constants import Scope
from signals_app.projects.models import Project
from signals_app.remarketing import services as remarketing_services
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.storefront import services as storefront_services
from signals_app.webhooks import services as webhook_services

SLUG = "demo"
NAME = "Nordlicht Outdoor (demo data)"
DAYS = 30
SMALLEST_GAP = timedelta(hours=6)
"""Started again after less than this, the demo goes on from where it was; after more, the time between is lived too."""
KEY_NAME = "Simulated shop"
COUNTING_SECONDS = 20
"""For whom the signals of the past name, and again for calibration; what is left, the workers count."""


def seed_demo(*, now: datetime, report: Callable[[str], object]) -> Project:
    """
    Make the demo store with its last thirty days, or bring an existing one up to now.

    Interrupted, it goes on from the last signal when called again.
    """
    project = Project.objects.filter(slug=SLUG, is_demo=True).first()
    if project is None:
        project = _create(now - timedelta(days=DAYS))
    else:
        import_products(project=project, now=now)  # the port, and so the pictures' address, may have changed
    source = project.webhook_sources.get(shop=None)
    webhook_services.configure_source(source=source, urls=[webhook_services.public_url(source)])
    lived_until = _lived_until(project) or now - timedelta(days=DAYS)
    if now - lived_until > SMALLEST_GAP:
        live_through(source=source, start=max(lived_until, now - timedelta(days=DAYS)), end=now, report=report)
        webhook_services.count_coverage(now=now, seconds=COUNTING_SECONDS)
        _gather_calibration(now)
    storefront_services.set_up(project=project)
    # The past kept the gallery's waits and quiet hours; who is watching now should not wait 45 minutes for a mail.
    install_examples(project=project, examples=Examples(wait_minutes=0), now=now)
    return project


def _gather_calibration(now: datetime) -> None:
    """Compare what was predicted with what happened, which a store's workers do over its weeks."""
    remarketing_services.plan_calibration(now=now)
    until = time.monotonic() + COUNTING_SECONDS
    while time.monotonic() < until and remarketing_services.gather_calibration(now=now):
        pass


def shop_key(project: Project, *, now: datetime) -> str:
    """Return a fresh API key for the simulated shop, in place of the last one."""
    for key in project.api_keys.filter(name=KEY_NAME, revoked_at=None):
        project_services.revoke_api_key(key=key, now=now)
    return project_services.create_api_key(project=project, name=KEY_NAME, scopes=[Scope.WRITE])[1]


@transaction.atomic
def _create(born_at: datetime) -> Project:
    project = project_services.create_project(
        slug=SLUG,
        name=NAME,
        shop_url="https://nordlicht.example",
        time_zone="Europe/Berlin",
        is_demo=True,
    )
    source = webhook_services.create_source(project=project)
    webhook_services.paste_secret(source=source, secret=secrets.token_hex(16), now=born_at)
    create_accounts(project)
    import_products(project=project, now=born_at)
    add_coupons(project=project)
    add_segments(project=project)
    install_examples(project=project, examples=Examples(), now=born_at)
    sign_up(project=project, at=born_at)
    return project


def _lived_until(project: Project) -> datetime | None:
    return (
        ShopperSignal.objects.filter(project=project)
        .order_by("-received_at")
        .values_list("received_at", flat=True)
        .first()
    )
