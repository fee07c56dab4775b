"""Nothing of one store shows, or can be chosen or changed, in another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.forms import ModelChoiceField
from django.test import Client, RequestFactory
from django.urls import reverse

from insightarc_crm.current_project import SESSION_KEY
from signals_app.catalog.models import Product, ProductFeed
from signals_app.core.scoping import project_path
from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from signals_app.remarketing.models import RuleVariant
from signals_app.webhooks.models import WebhookSource
from tests.insightarc_crm.furnishing import furnish

Rows = dict[str, models.Model]


@pytest.fixture
def other(db: None) -> Project:
    return Project.objects.create(slug="borealis", name="borealis store", shop_url="https://borealis.example")


@pytest.fixture
def own_rows(project: Project) -> Rows:
    return furnish(project, "aurora")


@pytest.fixture
def other_rows(other: Project) -> Rows:
    return furnish(other, "borealis")


@pytest.fixture
def browser(own_rows: Rows, other_rows: Rows, sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OWNER)


def name_of(model: type[models.Model]) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}"


def test_pages_of_another_stores_rows_are_not_found(browser: Client, other_rows: Rows) -> None:
    found = []
    for model in admin.site._registry:
        pk = other_rows[model._meta.label].pk
        for view in ("change", "delete", "history"):
            path = reverse(f"{name_of(model)}_{view}", args=[pk])
            found += [
                (path, status)
                for status in {browser.get(path).status_code, browser.post(path).status_code}
                if status not in (403, 404)
            ]
        if browser.get(reverse(f"{name_of(model)}_change", args=[pk])).status_code != 404:
            found.append((model._meta.label, 0))

    assert found == []


def test_buttons_of_another_stores_rows_are_not_found(browser: Client, other_rows: Rows) -> None:
    found = []
    for model, model_admin in admin.site._registry.items():
        for pattern in model_admin.get_urls():
            route, name = str(pattern.pattern), pattern.name or ""
            if "object_id" not in route and "pk>" not in route:
                continue
            numbers = re.findall(r"<(?:\w+:)?(\w+)>", route)
            arguments = {key: other_rows[model._meta.label].pk if key in ("object_id", "pk") else 1 for key in numbers}
            if not name or name.endswith(("_change", "_delete", "_history")):
                continue
            path = reverse(f"admin:{name}", kwargs=arguments)
            statuses = {browser.get(path).status_code, browser.post(path).status_code}
            found += [(path, status) for status in statuses if status not in (403, 404)]

    assert found == []


def test_lists_and_forms_show_nothing_of_another_store(browser: Client) -> None:
    leaks = []
    for model in admin.site._registry:
        for view in ("changelist", "add"):
            path = reverse(f"{name_of(model)}_{view}")
            page = browser.get(path, follow=True).content.decode()
            leaks += [path] if "borealis" in page else []

    assert leaks == []
    assert "borealis" not in browser.get("/admin/").content.decode()


def test_own_pages_offer_nothing_of_another_store(browser: Client, own_rows: Rows) -> None:
    leaks = []
    for model in admin.site._registry:
        path = reverse(f"{name_of(model)}_change", args=[own_rows[model._meta.label].pk])
        leaks += [path] if "borealis" in browser.get(path).content.decode() else []

    assert leaks == []


def test_searching_finds_nothing_of_another_store(browser: Client) -> None:
    leaks = []
    for model in admin.site._registry:
        path = reverse(f"{name_of(model)}_changelist")
        response = browser.get(path, {"q": "borealis"})
        has_list = response.status_code == 200 and "cl" in response.context  # a store's one page is no list
        leaks += [path] if has_list and list(response.context["cl"].result_list) else []

    assert leaks == []


def test_a_choice_of_another_stores_row_is_refused(
    project: Project, own_rows: Rows, other_rows: Rows, rf: RequestFactory
) -> None:
    request = rf.get("/admin/")
    request.user = get_user_model()(is_superuser=True, is_active=True)
    request.project = project  # type: ignore[attr-defined]
    offered = []
    for model, model_admin in admin.site._registry.items():
        if not (model_admin.has_add_permission(request) or model_admin.has_change_permission(request)):
            continue
        forms = [model_admin.get_form(request)]
        forms += [inline.get_formset(request).form for inline in model_admin.get_inline_instances(request)]
        for form in forms:
            for name, field in form.base_fields.items():
                if name != "id" and isinstance(field, ModelChoiceField) and field.queryset is not None:
                    path = project_path(field.queryset.model)
                    foreign = field.queryset.exclude(**{path: project.pk})
                    offered += [(model._meta.label, name)] if foreign.exists() else []

    assert offered == []


def test_a_filter_lists_the_rows_of_the_current_store_only(browser: Client, own_rows: Rows, other_rows: Rows) -> None:
    page = browser.get(reverse("admin:catalog_product_changelist")).content.decode()
    foreign = browser.get(
        reverse("admin:catalog_product_changelist"), {"feed__id__exact": str(other_rows["catalog.ProductFeed"].pk)}
    )

    assert str(own_rows["catalog.ProductFeed"].pk) in page
    assert str(other_rows["catalog.ProductFeed"].pk) not in page
    assert "borealis" not in foreign.content.decode()


def test_autocompletion_suggests_nothing_of_another_store(browser: Client) -> None:
    path = reverse("admin:autocomplete")
    leaks = []
    for model, model_admin in admin.site._registry.items():
        for field in model_admin.autocomplete_fields:
            query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
            for term in ("", "borealis"):
                answer = browser.get(path, {**query, "term": term})
                leaks += [(model._meta.label, field)] if "borealis" in json.dumps(answer.json()) else []

    assert leaks == []


def test_an_action_leaves_another_stores_rows_alone(browser: Client, other_rows: Rows) -> None:
    coupon = other_rows["catalog.Coupon"]
    stuck = other_rows["webhooks.InboxItem"]

    browser.post(
        reverse("admin:catalog_coupon_changelist"),
        {"action": "delete_selected", "_selected_action": [str(coupon.pk)], "post": "yes"},
    )
    browser.post(
        reverse("admin:webhooks_inboxitem_changelist"),
        {"action": "replay_selected", "_selected_action": [str(stuck.pk)]},
    )
    coupon.refresh_from_db()
    stuck.refresh_from_db()

    assert stuck.state == "QUARANTINED"  # type: ignore[attr-defined]


def test_a_new_row_belongs_to_the_current_store(browser: Client, project: Project, other: Project) -> None:
    data = {
        "name": "Second feed",
        "url": "https://shop.example.com/2.xml",
        "format": "AUTO",
        "refresh_hours": "6",
        "project": str(other.pk),
    }

    response = browser.post(reverse("admin:catalog_productfeed_add"), data)

    assert response.status_code == 302
    assert ProductFeed.objects.get(name="Second feed").project == project


def test_a_form_of_the_store_one_was_in_before_is_not_saved(browser: Client, other: Project) -> None:
    data = {"name": "Wrong store", "url": "https://shop.example.com/2.xml", "format": "AUTO", "refresh_hours": "6"}

    page = browser.post(reverse("admin:catalog_productfeed_add"), data | {"_store": str(other.pk)}, follow=True)

    assert "Nothing was saved" in page.content.decode()
    assert not ProductFeed.objects.filter(name="Wrong store").exists()


def test_what_is_unique_in_a_store_is_refused_on_the_form_with_the_field_named(
    browser: Client, project: Project, own_rows: Rows
) -> None:
    name = own_rows["segments.Segment"].name  # type: ignore[attr-defined]

    page = browser.post(reverse("admin:segments_segment_add"), {"name": name, "description": "", "conditions": "{}"})

    assert page.status_code == 200
    assert "already has one with this name" in page.content.decode()


def test_the_same_name_is_free_in_another_store(browser: Client, other_rows: Rows, project: Project) -> None:
    feed = other_rows["catalog.ProductFeed"]
    data = {"name": feed.name, "url": "https://shop.example.com/2.xml", "format": "AUTO", "refresh_hours": "6"}  # type: ignore[attr-defined]

    assert browser.post(reverse("admin:catalog_productfeed_add"), data).status_code == 302


def test_the_switcher_leads_to_stores_one_belongs_to(
    browser: Client, project: Project, other: Project, other_rows: Rows
) -> None:
    refused = browser.post(reverse("admin:switch_project"), {"project": str(other.pk)})
    user = get_user_model().objects.get(username=f"owner-{project.slug}")
    Membership.objects.create(project=other, user=user, role=Role.ANALYST)

    by_link = browser.get(reverse("admin:switch_project"), {"project": str(other.pk)})
    switched = browser.post(reverse("admin:switch_project"), {"project": str(other.pk)}, follow=True)

    assert refused.status_code == 404
    assert by_link.status_code == 405
    assert "You are now in borealis store." in switched.content.decode()
    assert browser.session[SESSION_KEY] == str(other.pk)
    assert browser.get(reverse("admin:catalog_productfeed_add")).status_code == 403, "an analyst there"
    assert (
        browser.get(reverse("admin:catalog_product_change", args=[other_rows["catalog.Product"].pk])).status_code == 200
    )


def test_a_store_one_no_longer_belongs_to_is_left_at_once(browser: Client, project: Project) -> None:
    Membership.objects.filter(user__username=f"owner-{project.slug}").delete()

    page = browser.get("/admin/")

    assert "not a member of any store" in page.content.decode()
    assert browser.get(reverse("admin:customers_customer_changelist")).status_code == 403


def test_permissions_given_by_django_itself_mean_nothing(project: Project, other: Project, client: Client) -> None:
    from django.contrib.auth.models import Permission

    user = get_user_model().objects.create_user("loose", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="catalog"))
    Membership.objects.create(project=project, user=user, role=Role.ANALYST)
    client.force_login(user, backend="insightarc_crm.roles.RoleBackend")

    assert client.get(reverse("admin:catalog_coupon_add")).status_code == 403


def test_a_model_without_a_way_to_its_store_is_an_error() -> None:
    from django.core.exceptions import ImproperlyConfigured

    assert project_path(Product) == "project"
    with pytest.raises(ImproperlyConfigured):
        project_path(RuleVariant)
    assert project_path(WebhookSource) == "project"
