"""Needs fixing, its replays and hostile bodies in a real Chromium, narrow and wide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.constants import InboxState, ReplayScope
from signals_app.webhooks.models import InboxItem, ReplayRun
from signals_app.webhooks.services import Selection

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]
LIST = "/admin/webhooks/inboxitem/"
BODIES = (
    b'{"num_events": 3, "email": "<img src=x onerror=document.title=1>@example.com",}',
    b'\xff\xfe\x00<script>document.title="1"</script>',
    b'{"a": "' + b"W" * 3_000,
    '{"note": "\u202egnp.exe", '.encode(),
    b"[1]",
    b"[" * 300 + b"]" * 300,
)


@pytest.fixture
def stuck(post_signal: Any, project: Project) -> list[InboxItem]:
    for body in BODIES:
        post_signal(body)
    items = list(InboxItem.objects.order_by("pk"))
    InboxItem.objects.filter(pk=items[4].pk).update(error="ValueError: " + "x" * 480, attempts=5)
    services.replay(deliveries=[items[1].delivery], now=timezone.now() - timedelta(minutes=20))
    pipeline.process_batch(now=timezone.now())
    services.set_aside(items=InboxItem.objects.filter(pk=items[5].pk), by="grace", now=timezone.now())
    return items


@pytest.fixture
def run(stuck: list[InboxItem], project: Project) -> ReplayRun:
    selection = Selection(scope=ReplayScope.NEEDS_FIXING, received_until=timezone.now(), error_text="JSON")
    (run,) = services.start_replays(project=project, selection=selection, started_by="grace", now=timezone.now())
    return run


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [390, 1400])
def test_every_page_fits_and_runs_nothing_that_a_body_brought(
    open_page: OpenPage, stuck: list[InboxItem], run: ReplayRun, width: int
) -> None:
    addresses = [LIST, f"{LIST}?shown=aside", f"{LIST}replay-matching/?problem=NOT_JSON"]
    addresses += [reverse("admin:webhooks_inboxitem_change", args=[item.pk]) for item in stuck]
    addresses += [
        reverse("admin:webhooks_webhookdelivery_change", args=[stuck[0].pk]),
        "/admin/webhooks/webhookdelivery/",
        "/admin/webhooks/webhookdelivery/replay-between/",
        "/admin/webhooks/webhookdelivery/replay-between/?received_from=2020-01-01T00:00&received_until=2090-01-01T00:00",
        "/admin/webhooks/replayrun/",
        reverse("admin:webhooks_replayrun_change", args=[run.pk]),
    ]
    page = open_page(addresses[0], role=Role.OPERATOR, width=width)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    host = page.url.removesuffix(LIST)

    for address in addresses:
        page.goto(host + address)
        assert overflow(page) <= 0, address
        assert page.title() != "1"

    assert complaints == []


def test_an_operator_finds_a_reason_and_replays_all_of_it(open_page: OpenPage, stuck: list[InboxItem]) -> None:
    page = open_page(LIST, role=Role.OPERATOR)

    page.get_by_role("link", name="Not readable as JSON 4").click()
    expect(page.locator("tbody:visible .crm-problem")).to_have_count(4)
    page.get_by_role("link", name="Replay all that match").click()
    expect(page.locator(".crm-lead")).to_contain_text("4: not readable as json", ignore_case=True)
    page.get_by_role("button", name="Replay them").click()
    page.wait_for_url("**/webhooks/replayrun/**")

    assert "0 of 4" in page.locator("main, #content, body").first.inner_text()
    assert services.continue_replay(now=timezone.now()).handed_over == 4
    assert InboxItem.objects.filter(state=InboxState.PENDING).count() == 4


def test_the_place_where_reading_stopped_is_marked(open_page: OpenPage, stuck: list[InboxItem]) -> None:
    page = open_page(reverse("admin:webhooks_inboxitem_change", args=[stuck[0].pk]), role=Role.OPERATOR)

    assert page.locator("mark.crm-mark").inner_text() == "}"
    assert "Reading stopped at character" in page.locator("body").inner_text()
