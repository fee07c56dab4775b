"""The connection page in a real browser: what a refused request shows, and the one click that mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from signals_app.projects.constants import Role
from signals_app.webhooks import rejections, services, signature
from signals_app.webhooks.models import WebhookDelivery, WebhookSource

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [390, 1400])
def test_an_address_that_was_signed_is_registered_with_one_click(
    open_page: Callable[..., Page],
    source: WebhookSource,
    post_signal: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setattr(rejections, "_gate", rejections.FloodGate())
    (url,) = source.registered_urls
    post_signal(
        b'{"drop_proba":0.9}', headers={signature.HEADER: signature.sign("whsec_test", b'{"drop_proba":0.9}', url[:-1])}
    )
    services.diagnose_failures(now=timezone.now())
    page = open_page(reverse("admin:webhooks_webhooksource_change", args=[source.pk]), role=Role.OPERATOR, width=width)

    expect(page.get_by_text("What differs: the last slash.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Register this address").click()

    expect(page.get_by_text("were accepted: nothing of them is lost")).to_be_visible()
    expect(page.get_by_label("Signatures that did not match")).to_be_visible()
    source.refresh_from_db()
    assert source.registered_urls == [url, url[:-1]]
    assert WebhookDelivery.objects.count() == 1
