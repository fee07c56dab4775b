"""The list of signals."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from signals_app.customers.models import Customer, Identifier
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals import services
from signals_app.shopper_signals.admin.signals import page_address
from signals_app.shopper_signals.models import Interest, RecomputeRun, ShopperSignal
from signals_app.shopper_signals.services import NewSignal

LIST = "/admin/shopper_signals/shoppersignal/"
SHOP = "https://shop.example.com"


@pytest.fixture
def signal(project: Project) -> ShopperSignal:
    customer = Customer.objects.create(project=project, name="Anna")
    identifier = Identifier.objects.create(project=project, customer=customer, kind="email", value="anna@example.com")
    return ShopperSignal.objects.create(
        project=project,
        identifier=identifier,
        received_at=datetime(2026, 11, 24, tzinfo=UTC),
        drop_proba=0.97,
        num_broken_buttons=2,
        avg_broken_buttons=0.1,
        relevant_events=[{"name": "/products/lamp"}, {"name": "javascript:alert(1)"}],
    )


def test_a_signal_is_found_by_the_shoppers_id_and_by_its_own(
    sign_in: Callable[..., Client], signal: ShopperSignal, project: Project
) -> None:
    ShopperSignal.objects.create(project=project, received_at=signal.received_at)
    browser = sign_in()

    for words in ("Anna@example.com", str(signal.pk)):
        assert list(browser.get(LIST, {"q": words}).context["cl"].result_list) == [signal]
    assert not browser.get(LIST, {"q": "anna"}).context["cl"].result_count
    assert browser.get(LIST).context["cl"].result_count == 2


def test_a_page_says_what_was_measured_and_links_only_to_web_pages(
    sign_in: Callable[..., Client], signal: ShopperSignal
) -> None:
    page = sign_in().get(reverse("admin:shopper_signals_shoppersignal_change", args=[signal.pk])).content.decode()

    assert "97 %" in page
    assert "usually 0.1" in page
    assert f'href="{SHOP}/products/lamp"' in page
    assert 'rel="noopener noreferrer nofollow"' in page
    assert "javascript:alert(1)" in page
    assert 'href="javascript:' not in page


def test_a_list_asks_the_database_as_often_for_forty_signals_as_for_one(
    sign_in: Callable[..., Client], signal: ShopperSignal, django_assert_max_num_queries: Any
) -> None:
    ShopperSignal.objects.bulk_create(
        ShopperSignal(project=signal.project, identifier=signal.identifier, received_at=signal.received_at)
        for _ in range(39)
    )
    browser = sign_in()
    browser.get(LIST)  # the first look of an hour is written down

    with django_assert_max_num_queries(14):
        assert browser.get(LIST).context["cl"].result_count == 40


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("/products/lamp?a=1", f"{SHOP}/products/lamp?a=1"),
        ("https://other.example/x", "https://other.example/x"),
        ("//evil.example/x", "//evil.example/x"),
        ("click on Add to cart", "click on Add to cart"),
    ],
)
def test_only_a_path_is_the_shops_own(name: str, address: str) -> None:
    assert page_address(name, SHOP) == address


class TestTheEvidenceOfAnInterest:
    def test_is_listed_with_the_pages_that_showed_it(
        self, sign_in: Callable[..., Client], signal: ShopperSignal, project: Project
    ) -> None:
        assert signal.identifier is not None
        at = datetime(2026, 5, 12, 10, tzinfo=UTC)
        pages = ["/products/lamp?x=1", "/en/products/lamp", "/cart"]
        seen = [
            NewSignal(
                id=uuid.uuid4(),
                received_at=at + timedelta(minutes=number),
                identifier=signal.identifier,
                relevant_events=[{"name": name} for name in names],
            )
            for number, names in enumerate((pages, pages[2:], pages[:1]))
        ]
        services.record_signals(project=project, signals=seen, now=at)
        interest = Interest.objects.get(kind="product", name="/products/lamp")

        response = sign_in().get(reverse("admin:shopper_signals_interest_change", args=[interest.pk]))

        page = response.content.decode()
        assert "Viewed twice, last on 12 May 2026" in page
        assert [len(each["pages"]) for each in response.context["evidence"]] == [1, 2]
        assert [str(seen[number].id) in page for number in range(3)] == [True, False, True]
        assert f'href="{SHOP}/en/products/lamp"' in page
        assert interest.last_signal_id == seen[2].id

    def test_of_which_more_is_known_than_is_shown_says_so(self, project: Project, signal: ShopperSignal) -> None:
        assert signal.identifier is not None
        at = datetime(2026, 5, 12, 10, tzinfo=UTC)
        shows = {1, 250, 251}
        seen = [
            NewSignal(
                id=uuid.uuid4(),
                received_at=at + timedelta(minutes=number),
                identifier=signal.identifier,
                relevant_events=[{"name": "/products/lamp" if number in shows else "/cart"}],
            )
            for number in range(252)
        ]
        services.record_signals(project=project, signals=seen, now=at)
        interest = Interest.objects.get(kind="product", name="/products/lamp")

        two, three = (services.interest_evidence(interest=interest, limit=limit) for limit in (2, 3))

        assert ([each.signal_id for each in two.signals], two.is_all) == ([seen[251].id, seen[250].id], False)
        assert (len(three.signals), three.is_all) == (3, True)

    def test_that_is_gone_is_said_to_be(self, sign_in: Callable[..., Client], signal: ShopperSignal) -> None:
        assert signal.identifier is not None
        interest = Interest.objects.create(
            customer=signal.identifier.customer,
            kind="search",
            name="hat",
            weight_log2=0,
            evidence_count=1,
            last_seen_at=signal.received_at,
        )

        page = sign_in().get(reverse("admin:shopper_signals_interest_change", args=[interest.pk])).content.decode()

        assert "Searched for once" in page
        assert "None of the stored signals shows it any more" in page


class TestARecomputation:
    START = "/admin/shopper_signals/recomputerun/start/"

    def test_is_asked_for_and_started(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in()
        assert "is read again" in browser.get(self.START).content.decode()
        assert not RecomputeRun.objects.exists()

        page = browser.post(self.START, follow=True).content.decode()

        assert "Started." in page
        assert 'http-equiv="refresh"' in page
        assert "It was running already" in browser.post(self.START, follow=True).content.decode()
        assert RecomputeRun.objects.count() == 1

    def test_can_be_stopped(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in()
        browser.post(self.START)
        run = RecomputeRun.objects.get()

        browser.post(reverse("admin:shopper_signals_recomputerun_stop", args=[run.pk]))

        run.refresh_from_db()
        assert run.state == "STOPPED"
        assert not services.continue_recompute(now=run.due_at)

    def test_is_not_for_analysts(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in(Role.ANALYST)

        assert browser.post(self.START).status_code == 403
        assert "Recompute profiles" not in browser.get("/admin/shopper_signals/recomputerun/").content.decode()
