"""Every page of the admin opens for those who may open it, whatever shoppers have sent."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.defaults import server_error

from insightarc_crm.roles import MODELS, ROLES
from signals_app.core.admin import DateTimeRangeFilter
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from tests.insightarc_crm.furnishing import furnish

OPEN = {200, 302}
STANDARD = {"changelist", "add", "change", "delete", "history", "autocomplete"}
PAGES_OF_THEIR_OWN = {
    # Named here and opened by a test of their own; a new page of the admin has to be added to one or the other.
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site",
    "app_list", "search", "switch_project", "pause_sending", "retention",
    "customers_customer_consent", "customers_customer_download", "customers_customer_erase",
    "customers_customer_merge", "customers_customer_links", "customers_customer_undo_link",
    "customers_customer_suppress", "customers_customer_lift_suppression",
    "customers_customer_save_view", "customers_customer_delete_view",
    "customers_identityconflict_keep_apart", "catalog_productfeed_read_now", "catalog_productfeed_file",
    "projects_membership_new_password", "projects_apikey_revoke",
    "webhooks_webhooksource_secret", "webhooks_webhooksource_remove_secret", "webhooks_webhooksource_keep_secret", "webhooks_webhooksource_probe",
    "webhooks_webhooksource_pause", "webhooks_webhookdelivery_replay", "webhooks_inboxitem_replay",
    "webhooks_inboxitem_set_aside", "webhooks_inboxitem_bring_back", "webhooks_inboxitem_replay_matching",
    "webhooks_webhookdelivery_replay_between", "webhooks_webhookdelivery_replay_between_times",
    "webhooks_replayrun_stop", "shopper_signals_recomputerun_start", "shopper_signals_recomputerun_stop",
    "webhooks_webhooksource_mend", "webhooks_webhooksource_coverage",
    "unmatched_pages", "catalog_product_unmatched", "catalog_product_follow_feed",
}  # fmt: skip
ROOMS_WITH_PAGES_OF_THEIR_OWN = ("segments_", "emails_", "remarketing_", "storefront_", "transfers_", "shops_")
"""Their pages beyond the standard ones are opened by these rooms' own tests."""


def allowed(model: type[models.Model], role: str, verb: str) -> bool:
    return verb in MODELS[model._meta.label_lower][ROLES.index(Role(role))]


@pytest.fixture
def rows(project: Project) -> dict[str, models.Model]:
    return furnish(project, "aurora")


def test_every_model_of_the_admin_stands_in_the_table_of_roles() -> None:
    assert (
        sorted(model._meta.label_lower for model in admin.site._registry if model._meta.label_lower not in MODELS) == []
    )


def test_no_page_of_the_admin_is_forgotten_by_these_tests() -> None:
    standard = {
        f"{model._meta.app_label}_{model._meta.model_name}_{view}"
        for model in admin.site._registry
        for view in STANDARD
    } | {f"{model._meta.app_label}_{model._meta.model_name}_simple_history" for model in admin.site._registry}
    names = {name for name in _names(admin.site.get_urls()) if not name.startswith(ROOMS_WITH_PAGES_OF_THEIR_OWN)}

    assert sorted(names - standard - PAGES_OF_THEIR_OWN) == []


def _names(patterns: list[object]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        found |= _names(getattr(pattern, "url_patterns", []))
        found |= {name} if (name := getattr(pattern, "name", None)) else set()
    return found


@pytest.mark.parametrize("role", ROLES)
def test_each_page_opens_for_the_roles_that_may_open_it(
    role: Role, rows: dict[str, models.Model], sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(role)
    browser.raise_request_exception = False
    wrong = []
    for model in admin.site._registry:
        row = rows[model._meta.label]
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        sees = allowed(model, role, "v")
        expected = {
            reverse(f"{name}_changelist"): sees,
            reverse(f"{name}_change", args=[row.pk]): sees,
            reverse(f"{name}_add"): allowed(model, role, "a"),
            reverse(f"{name}_history", args=[row.pk]): sees,
            reverse(f"{name}_delete", args=[row.pk]): allowed(model, role, "d"),
        }
        if role != Role.OWNER:
            # What is the same for everybody who may open it is drawn once, for the owner.
            expected = {
                path: may
                for path, may in expected.items()
                if not may or path.endswith(("/change/", f"/{model._meta.model_name}/"))
            }
        for path, may in expected.items():
            status = browser.get(path).status_code
            if (status in OPEN) != may or (not may and status != 403):
                wrong.append((path, status, "should open" if may else "should be refused"))

    assert wrong == []


@pytest.mark.slow
def test_no_page_carries_what_a_shopper_sent_as_markup(
    rows: dict[str, models.Model], sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(Role.OWNER)
    browser.raise_request_exception = False
    waiting, seen, wrong = [reverse("admin:index")], {reverse("admin:index")}, []
    waiting += [
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]) for row in rows.values()
    ]
    while waiting and len(seen) < 400:
        path = waiting.pop()
        response = browser.get(path)
        if response.status_code not in OPEN:
            wrong.append((path, response.status_code))
        if response.status_code != 200 or "html" not in response["Content-Type"]:
            continue
        page = response.content.decode()
        wrong += [
            (path, bad) for bad in ("<script>alert", "<script>parent", 'href="javascript:', "<img src=x") if bad in page
        ]
        # What a page links to has to be there as well.
        for link in re.findall(r'href="(/admin/[^"#]*)"', page):
            link = link.replace("&amp;", "&")
            if link not in seen and "logout" not in link and "?o=" not in link:
                seen.add(link)
                waiting.append(link)

    assert wrong == []


def test_a_filter_with_characters_no_database_takes_is_dropped(
    rows: dict[str, models.Model], sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(Role.OWNER)

    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for query in ("q=%00", "state=%00", "q=%F0%9F%92%A9%27%22&o=99.-99", "id__exact=zzz"):
            assert browser.get(f"{path}?{query}").status_code in OPEN, f"{path}?{query}"


@pytest.mark.parametrize(("zone", "day"), [("Asia/Tokyo", "0001-01-01"), ("America/New_York", "9999-12-31")])
def test_a_filter_by_a_day_that_is_none_in_utc_is_dropped(
    rows: dict[str, models.Model], project: Project, sign_in: Callable[..., Client], zone: str, day: str
) -> None:
    Project.objects.filter(pk=project.pk).update(time_zone=zone)
    browser, asked = sign_in(Role.OWNER), 0

    for model, model_admin in admin.site._registry.items():
        for chosen in model_admin.list_filter:
            if isinstance(chosen, tuple) and chosen[1] is DateTimeRangeFilter:
                path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
                query = {
                    f"{chosen[0]}_{end}_{part}": day if part == "0" else "23:59"
                    for end in ("from", "to")
                    for part in "01"
                }
                assert browser.get(path, query).status_code == 200, f"{path}?{query}"
                asked += 1
    assert asked > 5


def test_an_empty_list_of_shoppers_and_of_the_shop_says_where_its_rows_come_from(
    project: Project, sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(Role.OWNER)

    for name in ("customers_customer", "customers_order", "customers_identityconflict", "customers_erasurereport",
                 "catalog_product", "catalog_productfeed", "catalog_coupon", "catalog_pagealias", "segments_segment",
                 "transfers_importrun", "transfers_exportfile", "shopper_signals_recomputerun", "emails_suppression"):  # fmt: skip
        page = browser.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert re.search(r"<h2>Nothing here yet</h2>\s*<p>\w", page), name


def test_a_page_that_is_not_there_is_not_found(project: Project, sign_in: Callable[..., Client]) -> None:
    browser = sign_in(Role.OWNER)

    assert browser.get("/admin/customers/customer/nonsense/change/").status_code == 404
    assert browser.get("/admin/search/?s=x").status_code == 404
    assert browser.get("/admin/customers/").status_code == 302


def test_an_anonymous_visitor_is_asked_to_log_in(client: Client, db: None) -> None:
    response = client.get("/admin/")

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
    assert client.get("/admin/login/").status_code == 200


def test_only_the_admin_relaxes_the_content_policy(client: Client, db: None) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    strict = client.get("/nothing-here/")["Content-Security-Policy"]

    script = next(part for part in policy.split(";") if "script-src" in part)
    assert "'unsafe-eval'" in script
    assert "'unsafe-inline'" not in script
    assert "unsafe" not in strict


def test_who_finds_nothing_or_may_not_is_told_so_in_words_and_led_home(
    rows: dict[str, models.Model], sign_in: Callable[..., Client]
) -> None:
    gone = reverse("admin:customers_customer_change", args=["019a0000-0000-7000-8000-000000000000"])
    erase = reverse("admin:customers_customer_erase", args=[rows["customers.Customer"].pk])

    answers = [sign_in(Role.OWNER).get(gone), sign_in(Role.ANALYST).get(erase)]

    assert [answer.status_code for answer in answers] == [404, 403]
    for answer, said in zip(answers, ("may have been deleted or erased", "Your role does not allow this"), strict=True):
        assert said in answer.content.decode()
        assert f'href="{reverse("admin:index")}"' in answer.content.decode()


def test_a_mistake_of_ours_has_a_page_of_its_own(rf: RequestFactory) -> None:
    answer = server_error(rf.get("/admin/"))

    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()
