"""The page on which a store says which of its addresses are what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from signals_app.catalog import services as catalog_services
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.models import UrlPatterns
from signals_app.catalog.url_patterns import UrlRule
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import RecomputeRun, ShopperSignal

PAGE = "/admin/catalog/urlpatterns/"


def form(*rows: tuple[str, str], order: tuple[int, ...] = (), **more: str) -> dict[str, str]:
    data = {"form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0", **more}
    for number, (kind, pattern) in enumerate(rows):
        data |= {f"form-{number}-kind": kind, f"form-{number}-pattern": pattern}
        data[f"form-{number}-ORDER"] = str(order[number]) if order else str(number + 1)
    return data


@pytest.fixture
def visited(project: Project) -> list[str]:
    """Return the addresses of two signals, the newest first."""
    names = ["https://shop.example.com/hats/felt-hat?v=1", "/journal/hats", "<script>alert(1)</script>", "add to cart"]
    at = datetime(2026, 11, 24, tzinfo=UTC)
    for number, part in enumerate((names[:1], names[1:])):
        ShopperSignal.objects.create(
            project=project,
            received_at=at.replace(hour=number),
            relevant_events=[*({"name": name} for name in part), {"other": 1}, None],
        )
    return ["/journal/hats", names[0]]


class TestTheTest:
    def test_shows_what_the_patterns_make_of_the_last_addresses_before_saving(
        self, project: Project, sign_in: Callable[..., Client], visited: list[str]
    ) -> None:
        posted = form(("product", "/hats/{slug}"), ("content", "/journal/*"), ("cart", "/basket"), _test="1")

        response = sign_in().post(PAGE, posted)

        tested = {each.address: (str(each.badge), each.key, each.because) for each in response.context["tested"]}
        assert list(tested) == visited
        assert "Product" in tested[visited[1]][0]
        assert tested[visited[1]][1:] == ("/hats/felt-hat", "1. /hats/{slug}")
        assert response.context["unused"] == ["3. /basket"]
        assert not UrlPatterns.objects.exists()
        assert "<script>alert" not in response.content.decode()

    def test_answers_a_script_with_the_results_alone(self, sign_in: Callable[..., Client], visited: list[str]) -> None:
        posted = form(("product", "/hats/{slug}"), ("product", "nonsense"), _test="1")

        page = sign_in().post(PAGE, posted, headers={"X-Part": "results"}).content.decode()

        assert "<html" not in page
        assert "1. /hats/{slug}" in page
        assert "1 pattern cannot be read and is left out here." in page

    def test_asks_for_few_statements(
        self, sign_in: Callable[..., Client], visited: list[str], django_assert_max_num_queries: Any
    ) -> None:
        browser = sign_in()
        with django_assert_max_num_queries(12):
            browser.post(PAGE, form(("product", "/hats/{slug}"), _test="1"), headers={"X-Part": "results"})

    def test_is_open_to_those_who_may_only_look(self, sign_in: Callable[..., Client], visited: list[str]) -> None:
        browser = sign_in(Role.ANALYST)

        assert browser.post(PAGE, form(("product", "/hats/{slug}"), _test="1")).status_code == 200
        assert browser.post(PAGE, form(("product", "/hats/{slug}"), _save="1")).status_code == 403
        assert 'name="_save"' not in browser.get(PAGE).content.decode()


class TestSaving:
    def test_keeps_the_order_that_was_given_and_leaves_out_empty_and_removed_rows(
        self, project: Project, sign_in: Callable[..., Client]
    ) -> None:
        rows = (("product", "/a/{x}"), ("cart", ""), ("cart", "/b"), ("ignored", "/c/*"))
        posted = form(*rows, order=(3, 1, 2, 1), _save="1") | {"form-2-DELETE": "on"}

        response = sign_in().post(PAGE, posted, follow=True)

        assert "Saved." in response.content.decode()
        assert catalog_services.patterns_of(project=project) == [
            UrlRule(UrlKind.IGNORED, "/c/*"),
            UrlRule(UrlKind.PRODUCT, "/a/{x}"),
        ]
        assert UrlPatterns.objects.get().saved_by == "marketer-nordlicht"

    def test_says_at_the_pattern_what_is_wrong_and_saves_nothing(self, sign_in: Callable[..., Client]) -> None:
        posted = form(("product", "/a/{x}"), ("product", "/sale/*"), ("nonsense", "/b"), _save="1")

        page = sign_in().post(PAGE, posted).content.decode()

        assert "Nothing is saved yet" in page
        assert "Say which part names the product, such as /product/{slug}." in page
        assert not UrlPatterns.objects.exists()

    def test_can_start_the_recomputation(self, sign_in: Callable[..., Client]) -> None:
        response = sign_in().post(PAGE, form(("cart", "/b"), _recompute="1"), follow=True)

        run = RecomputeRun.objects.get()
        assert run.started_by == "marketer-nordlicht"
        assert response.redirect_chain[-1][0] == f"/admin/shopper_signals/recomputerun/{run.pk}/change/"
        assert "Products first" in response.content.decode()

    def test_of_another_store_in_another_window_saves_nothing(self, sign_in: Callable[..., Client]) -> None:
        sign_in().post(PAGE, form(("cart", "/b"), _save="1", _store="other"))

        assert not UrlPatterns.objects.exists()

    @pytest.mark.parametrize(
        "posted", [{}, {"form-TOTAL_FORMS": "x", "_save": "1"}, form(*[("cart", "/b")] * 101, _save="1")]
    )
    def test_of_a_form_made_by_hand_saves_nothing(self, sign_in: Callable[..., Client], posted: dict[str, str]) -> None:
        response = sign_in().post(PAGE, posted)

        assert response.status_code == 200
        assert not UrlPatterns.objects.exists()


class TestThePage:
    @pytest.mark.parametrize("key", ["shopify", "woocommerce", "shopware"])
    def test_fills_in_ready_made_patterns_without_saving(self, sign_in: Callable[..., Client], key: str) -> None:
        page = sign_in().get(PAGE, {"preset": key}).content.decode()

        assert "They are not saved yet" in page
        assert "/checkout/" in page
        assert not UrlPatterns.objects.exists()

    def test_shows_what_is_saved(self, project: Project, sign_in: Callable[..., Client]) -> None:
        catalog_services.save_patterns(project=project, rules=[UrlRule(UrlKind.CART, "/trolley")], saved_by="x")

        page = sign_in().get(PAGE, {"preset": "nonsense"}).content.decode()

        assert 'value="/trolley"' in page
        assert "No signal has named an address yet" in page
