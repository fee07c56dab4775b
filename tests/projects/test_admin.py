"""Owners run their store, its team and its keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.projects import services
from signals_app.projects.constants import ROLES_IN_WORDS, Role
from signals_app.projects.models import ApiKey, Membership, Project

ADD_MEMBER = "/admin/projects/membership/add/"


@pytest.fixture
def owner(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OWNER)


def test_inviting_a_person_makes_an_account_whose_password_is_shown_once(owner: Client, project: Project) -> None:
    data = {"email": "Mia@Example.com ", "name": "Mia Berg", "role": "MARKETER"}

    page = owner.post(ADD_MEMBER, data, follow=True).content.decode()
    password = re.search(r"First password of mia@example\.com: (\S+) ", page)

    assert password is not None
    assert password[1] not in owner.get("/admin/").content.decode()
    assert Membership.objects.get(user__username="mia@example.com").role == Role.MARKETER
    assert Membership.objects.get(user__username="mia@example.com").user.get_full_name() == "Mia Berg"
    mia = Client()
    answer = mia.post("/admin/login/", {"username": "mia@example.com", "password": password[1]})
    assert answer.status_code == 302
    assert "Nordlicht Outdoor" in mia.get("/admin/").content.decode()


def test_the_page_says_what_each_role_may_do(owner: Client) -> None:
    page = owner.get(ADD_MEMBER).content.decode()

    assert ROLES_IN_WORDS.keys() == set(Role)
    for role, may in ROLES_IN_WORDS.items():
        assert f"{Role(role).label}: {may}" in page


def test_somebody_with_an_account_joins_and_keeps_the_password(owner: Client, project: Project) -> None:
    user = get_user_model().objects.create_user("lea", "lea@example.com", "her-own-password")

    page = owner.post(ADD_MEMBER, {"email": "lea@example.com", "role": "ANALYST"}, follow=True).content.decode()
    user.refresh_from_db()

    assert "keeps its password" in page
    assert user.check_password("her-own-password")
    assert user.is_staff
    assert services.add_member(project=project, user=user, role=Role.ANALYST).role == Role.ANALYST


def test_inviting_somebody_with_a_name_that_no_account_can_keep_is_refused(owner: Client) -> None:
    page = owner.post(ADD_MEMBER, {"email": "mia@example.com", "name": "M" * 151, "role": "MARKETER"})

    assert set(page.context["adminform"].form.errors) == {"name"}
    assert not get_user_model().objects.filter(username="mia@example.com").exists()


def test_inviting_somebody_twice_is_refused_with_the_field_named(owner: Client, project: Project) -> None:
    for _ in range(2):
        page = owner.post(ADD_MEMBER, {"email": "mia@example.com", "role": "MARKETER"})

    assert "in the team already" in page.content.decode()


def test_the_last_owner_can_neither_leave_nor_step_down(owner: Client, project: Project) -> None:
    membership = Membership.objects.get(project=project, role=Role.OWNER)

    stepped = owner.post(reverse("admin:projects_membership_change", args=[membership.pk]), {"role": "ANALYST"})
    left = owner.post(
        reverse("admin:projects_membership_delete", args=[membership.pk]), {"post": "yes"}, follow=True
    ).content.decode()
    membership.refresh_from_db()

    assert "A store needs an owner" in stepped.content.decode()
    assert "A store needs an owner" in left
    assert membership.role == Role.OWNER


def test_an_owner_beside_another_can_step_down(owner: Client, project: Project) -> None:
    second = get_user_model().objects.create_user("second", is_staff=True)
    membership = services.add_member(project=project, user=second, role=Role.OWNER)

    answer = owner.post(reverse("admin:projects_membership_change", args=[membership.pk]), {"role": "ANALYST"})
    membership.refresh_from_db()

    assert answer.status_code == 302
    assert membership.role == Role.ANALYST


def test_the_password_of_somebody_with_another_store_cannot_be_taken_over(owner: Client, project: Project) -> None:
    other = services.create_project(slug="other", name="Other", shop_url="https://other.example")
    user = get_user_model().objects.create_user("both", password="her-own-password")
    membership = services.add_member(project=project, user=user, role=Role.MARKETER)
    button = reverse("admin:projects_membership_new_password", args=[membership.pk])

    alone = owner.post(button, follow=True).content.decode()
    password = re.search(r"New password of both: (\S+) ", alone)
    services.add_member(project=other, user=user, role=Role.OWNER)
    shared = owner.post(button, follow=True).content.decode()
    user.refresh_from_db()

    assert password is not None
    assert user.check_password(password[1])
    assert "also belongs to other stores" in shared


def test_a_button_asks_before_it_acts(owner: Client, project: Project) -> None:
    key, _ = services.create_api_key(project=project, name="Shop", scopes=["read"])
    button = reverse("admin:projects_apikey_revoke", args=[key.pk])

    asked = owner.get(button).content.decode()
    key.refresh_from_db()

    assert "cannot be undone" in asked
    assert re.search(r"<button[^>]*>\s*Revoke\s*</button>", asked)
    assert key.revoked_at is None
    owner.post(button)
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_new_key_is_shown_once_and_works(owner: Client, project: Project) -> None:
    data = {"name": "Shop", "scopes": ["read", "write"], "expires_at_0": "", "expires_at_1": ""}

    answer = owner.post("/admin/projects/apikey/add/", data)
    text = re.search(r"(?<=new-api-key\">)iac_[\w-]+", answer.content.decode())

    assert text is not None
    assert "no-store" in answer["Cache-Control"]
    found = services.authenticate(key=text[0], now=timezone.now())
    assert found is not None
    assert found.scopes == ["read", "write"]
    page = owner.get(reverse("admin:projects_apikey_change", args=[found.pk])).content.decode()
    assert text[0] not in page
    assert text[0] not in str(dict(owner.session))


def test_a_key_without_a_scope_is_refused(owner: Client, project: Project) -> None:
    answer = owner.post("/admin/projects/apikey/add/", {"name": "Shop"})

    assert answer.status_code == 200
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_key_that_ends_on_a_day_that_nobody_means_is_refused(owner: Client, project: Project, day: str) -> None:
    data = {"name": "Shop", "scopes": ["read"], "expires_at_0": day, "expires_at_1": "00:00"}

    page = owner.post(reverse("admin:projects_apikey_add"), data).content.decode()

    assert "Enter a date between 1990 and 2200." in page
    assert not ApiKey.objects.exists()


def test_a_store_with_a_wrong_setting_is_refused_with_the_field_named(owner: Client, project: Project) -> None:
    path = reverse("admin:projects_project_change", args=[project.pk])
    data = {
        "name": "Nordlicht",
        "slug": "nordlicht",
        "shop_url": "https://shop.example.com",
        "shop_domains": "shop.example.com\nnot a domain",
        "time_zone": "Mars/Olympus",
        "currency": "euro",
        "intent_half_life_hours": "0",
    }

    page = owner.post(path, data).content.decode()
    right = data | {"shop_domains": " Shop.example.com \n\n", "time_zone": "Europe/Oslo", "currency": "NOK"}
    saved = owner.post(path, right | {"intent_half_life_hours": "48"})
    project.refresh_from_db()

    assert "is not a time zone" in page
    assert "Enter a domain" in page
    assert "Not a currency" in owner.post(path, right | {"currency": "XXQ"}).content.decode()
    assert saved.status_code == 302
    assert project.shop_domains == ["shop.example.com"]
    assert project.time_zone == "Europe/Oslo"


def test_only_the_sites_administrator_makes_stores(owner: Client, client: Client, project: Project) -> None:
    root = get_user_model().objects.create_superuser("root", password="root-root-root")
    client.force_login(root, backend="insightarc_crm.roles.RoleBackend")
    data = {
        "name": "Second",
        "slug": "second",
        "shop_url": "https://second.example",
        "time_zone": "UTC",
        "currency": "EUR",
        "intent_half_life_hours": "72",
    }

    assert owner.get("/admin/projects/project/add/").status_code == 403
    assert client.post("/admin/projects/project/add/", data).status_code == 302
    assert Project.objects.filter(slug="second").exists()
