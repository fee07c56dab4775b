"""The admin's shell in a real browser: connecting Insightarc, profiles, stores, phones, and markup that must stay text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from signals_app.webhooks.models import WebhookSource
from tests.insightarc_crm.furnishing import furnish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]


@pytest.fixture
def rows(project: Project) -> dict[str, models.Model]:
    return furnish(project, "aurora")


def test_a_person_logs_in_switches_store_and_logs_out(chromium: Browser, live_server: object, project: Project) -> None:
    second = Project.objects.create(slug="second", name="Second store", shop_url="https://second.example")
    user = get_user_model().objects.create_user("mia", password="mia-mia-mia", is_staff=True, first_name="Mia")
    for store in (project, second):
        Membership.objects.create(project=store, user=user, role=Role.OWNER)
    page = chromium.new_page()
    page.goto(f"{live_server.url}/admin/")  # type: ignore[attr-defined]

    page.fill("#id_username", "mia")
    page.fill("#id_password", "mia-mia-mia")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("0 of 6")).to_be_visible()
    page.get_by_text("Nordlicht Outdoor").first.click()
    page.get_by_role("button", name="Second store").click()

    expect(page.get_by_text("You are now in Second store.")).to_be_visible()
    page.get_by_text("Mia", exact=True).click()
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{live_server.url}/admin/customers/customer/")  # type: ignore[attr-defined]
    expect(page.locator("#id_password")).to_be_visible()
    page.close()


def test_insightarc_is_connected_from_its_page(open_page: OpenPage, project: Project, source: WebhookSource) -> None:
    source.secrets.all().delete()
    page = open_page(reverse("admin:webhooks_webhooksource_changelist"), role=Role.OPERATOR)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    expect(page.get_by_text("Secret missing")).to_be_visible()
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    page.fill("#id_secret", "whsec_pasted")
    page.get_by_role("button", name="Keep the secret").click()

    expect(page.get_by_text("The secret is kept")).to_be_visible()
    assert copied == source.registered_urls[0]
    assert source.secrets.get().secret == "whsec_pasted"
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Remove").click()
    assert source.secrets.exists(), "the question was answered with no"


def test_a_profile_is_found_and_consent_recorded(open_page: OpenPage, rows: dict[str, models.Model]) -> None:
    page = open_page(reverse("admin:customers_customer_changelist"))

    page.fill("#searchbar", "aurora@shopper.example")
    page.keyboard.press("Enter")
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_text("89 of 100")).to_be_visible()
    page.get_by_text("Record what the shopper told you").click()
    page.get_by_text("refused", exact=True).click()
    page.fill("#id_source", "by phone")
    page.get_by_role("button", name="Record", exact=True).click()

    expect(page.get_by_text("Consent recorded.")).to_be_visible()
    expect(page.get_by_text("Gets no marketing mails")).to_be_visible()


def test_no_page_runs_what_a_shopper_sent_or_breaks_its_own_policy(
    open_page: OpenPage, rows: dict[str, models.Model]
) -> None:
    page = open_page("/admin/", role=Role.OWNER)
    trouble: list[str] = []
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: trouble.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda message: trouble.append(f"{page.url}: {message.text}") if "Content Security" in message.text else None,
    )

    origin = page.url.removesuffix("/admin/")
    for model, row in ((model, rows[model._meta.label]) for model in admin.site._registry):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for path in (reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])):
            page.goto(origin + path, wait_until="domcontentloaded")

    assert trouble == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(open_page: OpenPage, rows: dict[str, models.Model], width: int) -> None:
    page = open_page("/admin/", role=Role.OWNER, width=width)
    origin = page.url.removesuffix("/admin/")
    wide = []
    for label in ("customers.Customer", "webhooks.WebhookSource", "webhooks.WebhookDelivery", "projects.Project"):
        path = reverse(f"admin:{label.lower().replace('.', '_')}_change", args=[rows[label].pk])
        page.goto(origin + path, wait_until="domcontentloaded")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"):
            wide.append(path)

    assert wide == []
