"""The profile page and the list in a real browser: the chart, the timeline that is read on, pictures, phones, no scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from signals_app.catalog.models import Product
from signals_app.customers import services
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.models import IntentProfile
from tests.insightarc_crm.furnishing import HOSTILE
from tests.shopper_signals.conftest import make_signal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]
LIST = "/admin/customers/customer/"
SIGNALS = 130


@pytest.fixture
def anna(transactional_db: None, project: Project) -> Customer:
    """Return a shopper with many signals, an order, IDs of 250 letters, and a product without a picture."""
    now = timezone.now()
    customer = services.identify(
        project=project,
        identifiers={"email": "anna@example.com", "external_id": "C" * 250, "anonymous_id": f"v {HOSTILE.strip()[:80]}".replace("\r\n", "")},
        attributes={"first_name": "Anna", "last_name": "W" * 150},
        now=now - timedelta(days=20),
    ).customer  # fmt: skip
    Product.objects.create(
        project=project, sku="1", title="Head lamp " + "x" * 200, url="https://shop.example.com/products/lamp",
        url_key="/products/lamp", price="39.90", currency="EUR", first_seen_at=now,
        image_url="http://127.0.0.1:9/nothing-there.jpg",
    )  # fmt: skip
    identifier = Identifier.objects.get(customer=customer, kind="external_id")
    rows = [
        make_signal(
            now - timedelta(hours=3 * place),
            identifier,
            num_events=1 + place % 25,
            drop_proba=place % 10 / 10,
            relevant_events=[{"name": "/products/lamp"}, {"name": f"/search?q={HOSTILE}"}],
        )
        for place in range(SIGNALS)
    ]
    signal_services.record_signals(project=project, signals=rows, now=now)
    services.record_order(
        project=project,
        identifiers={"email": "anna@example.com"},
        order_id="R-1",
        total="9.90",  # type: ignore[arg-type]
        currency="EUR",
        placed_at=now - timedelta(days=2),
        now=now,
    )
    return customer


def path_of(customer: Customer) -> str:
    return reverse("admin:customers_customer_change", args=[customer.pk])


def test_older_entries_are_added_below_without_losing_the_place(open_page: OpenPage, anna: Customer) -> None:
    page = open_page(path_of(anna) + "?show=signals")
    events = page.locator(".crm-event")

    expect(events).to_have_count(50)
    page.evaluate("document.title = 'the same page'")
    page.get_by_role("link", name="Older").click()
    expect(events).to_have_count(100)
    page.get_by_role("link", name="Older").click()

    expect(events).to_have_count(SIGNALS)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    assert page.title() == "the same page"
    days = page.locator(".crm-day").all_inner_texts()
    assert len(days) == len(set(days)), "a day that goes on is named once"


def test_the_chart_is_drawn_and_a_picture_that_is_missing_gives_way(open_page: OpenPage, anna: Customer) -> None:
    page = open_page(path_of(anna))
    canvas = page.locator("canvas[data-chart]")

    expect(canvas).to_be_visible()
    labels = page.evaluate(
        "Chart.getChart(document.querySelector('canvas[data-chart]')).data.datasets.map(s => s.label)"
    )
    assert labels == ["Intent score", "Exit likelihood", "Orders"]
    page.locator("section[aria-label=Interests]").scroll_into_view_if_needed()
    expect(page.locator("section[aria-label=Interests] .crm-picture-empty").first).to_be_visible()
    expect(page.locator("section[aria-label=Interests] img")).to_have_count(0)


def test_a_known_id_is_copied(open_page: OpenPage, anna: Customer) -> None:
    page = open_page(path_of(anna))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.locator("section[aria-label='Known IDs'] button").nth(1).click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "anna@example.com"


def test_everything_is_there_without_scripts(open_page: OpenPage, anna: Customer) -> None:
    page = open_page(path_of(anna), scripts=False)

    expect(page.locator("canvas[data-chart]")).to_be_hidden()
    page.get_by_text("Show the figures").click()
    expect(page.locator("section[aria-label='Intent over time'] tbody tr")).to_have_count(SIGNALS)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    page.get_by_role("link", name="Orders", exact=True).last.click()
    expect(page.locator(".crm-event")).to_have_count(1)
    page.get_by_role("link", name="Stop all mails").click()
    page.get_by_role("button", name="Stop all mails").click()
    expect(page.get_by_text("No mail goes to this shopper")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window_and_nothing_sent_is_run(
    open_page: OpenPage, anna: Customer, width: int
) -> None:
    page = open_page(path_of(anna), role=Role.OWNER, width=width)
    trouble: list[str] = []
    # Playwright dismisses a dialog that nobody listens to, and the page goes on: what it said is what is looked for.
    page.on("console", lambda message: trouble.append(message.text) if "alert" in message.text else None)
    page.add_init_script("window.alert = (text) => console.log('alert: ' + text)")
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if "Content Security" in message.text else None)
    base = page.url.partition("/admin/")[0]

    for path in (path_of(anna), f"{path_of(anna)}?show=signals", LIST, f"{LIST}?q=anna"):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1"), path

    assert trouble == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_view_is_saved_used_and_deleted(open_page: OpenPage, project: Project, anna: Customer, scripts: bool) -> None:
    IntentProfile.objects.filter(customer=anna).update(stage="leaving_with_intent")
    Customer.objects.create(project=project, name="Somebody else")
    page = open_page(f"{LIST}?intent_profile__stage=leaving_with_intent", scripts=scripts)

    page.get_by_text("Save this view").click()
    page.locator(".crm-inline-form [name=name]").fill("About to leave")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as “About to leave”.")).to_be_visible()
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.get_by_role("link", name="About to leave").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this view").click()

    expect(page.get_by_text("“About to leave” is deleted.")).to_be_visible()
