"""URL patterns tried while a person types, and pages that fit a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from signals_app.catalog.models import UrlPatterns
from signals_app.projects.models import Project
from signals_app.remarketing.models import Calibration
from signals_app.shopper_signals.models import ShopperSignal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATTERNS = "/admin/catalog/urlpatterns/"
OpenPage = Callable[..., Page]


@pytest.fixture
def visited(project: Project) -> None:
    names = ("https://shop.example.com/hats/felt-hat", "/journal/hats", "/a/" + "long-" * 40)
    ShopperSignal.objects.create(
        project=project,
        received_at=datetime(2026, 11, 24, tzinfo=UTC),
        relevant_events=[{"name": name} for name in names],
    )


@pytest.mark.usefixtures("visited")
class TestPatterns:
    def test_are_tried_while_they_are_typed(self, open_page: OpenPage) -> None:
        page = open_page(PATTERNS)
        expect(page.locator("#results")).not_to_contain_text("/hats/{slug}")

        page.locator("[name=form-0-pattern]").press_sequentially("/hats/{slug}")

        row = page.locator("#results tr", has_text="felt-hat")
        expect(row).to_contain_text("Product")
        expect(row).to_contain_text("1. /hats/{slug}")
        assert not UrlPatterns.objects.exists()
        page.locator("[name=form-1-pattern]").fill("nonsense")
        expect(page.locator("#results")).to_contain_text("1 pattern cannot be read")

    def test_are_tried_and_saved_without_scripts(self, open_page: OpenPage) -> None:
        page = open_page(PATTERNS, scripts=False)
        page.locator("[name=form-0-pattern]").fill("/hats/{slug}")

        page.get_by_role("button", name="Test", exact=True).click()

        expect(page.locator("#results tr", has_text="felt-hat")).to_contain_text("Product")
        expect(page.locator("[name=form-0-pattern]")).to_have_value("/hats/{slug}")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("body")).to_contain_text("Saved.")
        assert UrlPatterns.objects.get().patterns == [{"kind": "product", "pattern": "/hats/{slug}"}]

    def test_fit_a_phone(self, open_page: OpenPage, project: Project) -> None:
        Calibration.objects.create(
            project=project,
            week=datetime(2026, 11, 2, tzinfo=UTC).date(),
            window_days=7,
            state="DONE",
            exit_bins=[[90, 9 * number, 9.0 * number, 9.0] for number in range(10)],
            intent_bins=[[90, 9 * number, 9.0 * number, 9.0] for number in range(10)],
        )
        for path in (f"{PATTERNS}?preset=shopify", "/admin/remarketing/calibration/"):
            page = open_page(path, width=390)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
