"""The profile list and the page of one shopper."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from signals_app.catalog.models import Product
from signals_app.customers import services
from signals_app.customers.models import Consent, Customer, Identifier, IdentityConflict
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIST = "/admin/customers/customer/"


@pytest.fixture
def marketer(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MARKETER)


@pytest.fixture
def anna(project: Project) -> Customer:
    services.identify(
        project=project,
        identifiers={"email": "anna@example.com", "external_id": "C-1", "anonymous_id": "visitor-7"},
        attributes={"first_name": "Anna", "last_name": "Berg"},
        time_zone=None,
        now=NOW,
    )
    return Customer.objects.get()


def shopper(project: Project, number: int, **intent: Any) -> Customer:
    customer = Customer.objects.create(project=project, name=f"Shopper {number}", last_seen_at=NOW)
    IntentProfile.objects.create(customer=customer, project=project, **intent)
    Interest.objects.create(customer=customer, kind="brand", name="Nord", weight_log2=1, last_seen_at=NOW)
    return customer


def names(browser: Client, query: dict[str, Any]) -> list[str]:
    return [str(customer) for customer in browser.get(LIST, query).context["cl"].result_list]


@pytest.mark.parametrize("words", ["anna@EXAMPLE.com", "C-1", "visitor-7", "Anna", "berg", "anna@", " C-1 "])
def test_a_profile_is_found_by_name_and_by_any_known_id(
    marketer: Client, anna: Customer, project: Project, words: str
) -> None:
    shopper(project, 1)

    assert names(marketer, {"q": words}) == ["Anna Berg"]


@pytest.mark.parametrize("words", ["visitor", "' OR 1=1 --", "%", "nobody@example.com"])
def test_part_of_an_id_finds_nobody(marketer: Client, anna: Customer, words: str) -> None:
    assert names(marketer, {"q": words}) == []


def test_profiles_are_filtered_by_stage_score_and_consent(marketer: Client, project: Project, anna: Customer) -> None:
    shopper(project, 1, stage="leaving_with_intent", intent_score=80)
    shopper(project, 2, stage="browsing", intent_score=10)
    services.record_consent(
        project=project, identifiers={"email": "anna@example.com"}, granted=True, source="form", now=NOW
    )

    assert names(marketer, {"intent_profile__stage": "leaving_with_intent"}) == ["Shopper 1"]
    assert names(marketer, {"intent_profile__stage__exact": "browsing"}) == ["Shopper 2"]
    assert names(marketer, {"intent_profile__intent_score_from": "50"}) == ["Shopper 1"]
    assert names(marketer, {"consent": "granted"}) == ["Anna Berg"]
    assert "Anna Berg" not in names(marketer, {"consent": "none"})


def test_a_list_of_profiles_asks_the_database_as_often_for_forty_as_for_one(
    marketer: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        shopper(project, number, intent_score=number)

    names(marketer, {})  # the first look of an hour is written down

    with django_assert_max_num_queries(15):
        assert len(names(marketer, {})) == 40


def test_the_page_shows_the_score_in_words_and_interests_with_prices(
    marketer: Client, anna: Customer, project: Project
) -> None:
    Product.objects.create(
        project=project, sku="1", title="Head lamp", url="https://shop.example.com/products/lamp",
        url_key="/products/lamp", price="39.90", currency="EUR", first_seen_at=NOW,
        image_url="https://shop.example.com/lamp.jpg",
    )  # fmt: skip
    IntentProfile.objects.create(
        customer=anna,
        project=project,
        intent_score=61,
        scored_at=NOW,
        half_life_hours=72,
        cart_log2=decay.hours(NOW) / 72,
    )
    Interest.objects.create(
        customer=anna, kind="product", name="/products/lamp", weight_log2=3, evidence_count=2, last_seen_at=NOW
    )

    page = marketer.get(reverse("admin:customers_customer_change", args=[anna.pk])).content.decode()

    for words in ("Anna Berg", "61 of 100", "Cart", "+18", "Head lamp", "39.90 EUR", "said by the shop", "visitor-7"):
        assert words in page
    assert 'src="https://shop.example.com/lamp.jpg"' in page


def test_the_timeline_leads_back_page_by_page(marketer: Client, anna: Customer, project: Project) -> None:
    identifier = Identifier.objects.get(kind="external_id")
    ShopperSignal.objects.bulk_create(
        ShopperSignal(
            project=project,
            identifier=identifier,
            received_at=NOW - timedelta(hours=number),
            relevant_events=[{"name": f"/products/item-{number}"}],
        )
        for number in range(120)
    )
    path, seen = reverse("admin:customers_customer_change", args=[anna.pk]), set()
    query = {}
    for _ in range(10):
        response = marketer.get(path, query)
        seen |= {row["entry"].reference for row in response.context["timeline"] if row["entry"].kind == "signal"}
        if not response.context["older"]:
            break
        query = QueryDict(response.context["older"][1:]).dict()

    assert len(seen) == 120


@pytest.mark.parametrize("after", ["nonsense", "2026-13-45T00:00:00+00:00__", "2026-11-24", "", "\x00"])
def test_a_made_up_page_of_the_timeline_is_the_newest(marketer: Client, anna: Customer, after: str) -> None:
    response = marketer.get(reverse("admin:customers_customer_change", args=[anna.pk]), {"after": after})

    assert response.status_code == 200
    assert response.context["after"] is None


def test_a_marketer_records_what_the_shopper_said_and_an_analyst_does_not(
    sign_in: Callable[..., Client], anna: Customer
) -> None:
    path = reverse("admin:customers_customer_consent", args=[anna.pk])
    data = {"granted": "yes", "source": "by phone"}

    refused = sign_in(Role.ANALYST).post(path, data)
    page = sign_in(Role.MARKETER).post(path, data, follow=True).content.decode()

    assert refused.status_code == 403
    assert "May be mailed" in page
    assert Consent.objects.get().source.startswith("by phone (marketer")


def test_an_owner_exports_and_erases(sign_in: Callable[..., Client], anna: Customer) -> None:
    owner = sign_in(Role.OWNER)
    page = reverse("admin:customers_customer_change", args=[anna.pk])

    export = owner.get(reverse("admin:customers_customer_download", args=[anna.pk]))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(export.streaming_content)))
    asked = owner.get(reverse("admin:customers_customer_erase", args=[anna.pk])).content.decode()
    still_there = Customer.objects.exists()
    owner.post(reverse("admin:customers_customer_erase", args=[anna.pk]))

    assert "anna@example.com" in archive.read("data/customers/identifiers.json").decode()
    assert "attachment" in export["Content-Disposition"]
    assert "cannot be undone" in asked
    assert still_there
    assert not Customer.objects.exists()
    assert owner.get(page).status_code == 404


def test_an_erasure_begins_although_the_broker_is_down(
    sign_in: Callable[..., Client], anna: Customer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    settings.PUBLISH_WAKE_UPS = True
    monkeypatch.setattr("celery.app.task.Task.apply_async", refuse)
    monkeypatch.setattr("insightarc_crm.erasures.SECONDS_IN_THE_REQUEST", 0.0)

    answer = sign_in(Role.OWNER).post(reverse("admin:customers_customer_erase", args=[anna.pk]), follow=True)

    assert "out of reach" in answer.content.decode()
    assert not Customer.objects.exists()


def test_consent_is_recorded_of_who_has_only_a_customer_id(marketer: Client, project: Project) -> None:
    known = services.identify(project=project, identifiers={"external_id": "7"}, now=NOW).customer
    browser = services.identify(project=project, identifiers={"anonymous_id": "b"}, now=NOW).customer

    def offers(customer: Customer) -> bool:
        page = marketer.get(reverse("admin:customers_customer_change", args=[customer.pk]))
        return bool(page.context["may_record_consent"])

    assert (offers(known), offers(browser)) == (True, False)


def test_only_owners_export_and_erase_a_person_and_the_page_of_lists_says_so(marketer: Client, anna: Customer) -> None:
    assert "An owner downloads it from the profile" in marketer.get("/admin/transfers/exportfile/add/").content.decode()
    assert marketer.get(reverse("admin:customers_customer_download", args=[anna.pk])).status_code == 403
    assert marketer.post(reverse("admin:customers_customer_erase", args=[anna.pk])).status_code == 403
    assert Customer.objects.exists()


def test_a_possible_duplicate_is_shown_and_kept_apart(marketer: Client, anna: Customer, project: Project) -> None:
    other = Customer.objects.create(project=project, name="Other")
    second = Identifier.objects.create(project=project, customer=other, kind="external_id", value="C-2")
    first = Identifier.objects.get(kind="email")
    left, right = sorted((first, second), key=lambda each: each.pk)
    conflict = IdentityConflict.objects.create(project=project, left=left, right=right, evidence="SIGNAL")

    page = marketer.get(reverse("admin:customers_customer_change", args=[anna.pk])).content.decode()
    marketer.post(reverse("admin:customers_identityconflict_keep_apart", args=[conflict.pk]))
    conflict.refresh_from_db()

    assert "may be one person" in page
    assert conflict.state == "KEPT_APART"
