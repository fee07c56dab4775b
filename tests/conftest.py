"""What the tests of every room share: a store, and people signed in to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(
        slug="nordlicht",
        name="Nordlicht Outdoor",
        shop_url="https://shop.example.com",
        shop_domains=["shop.example.com"],
        time_zone="Europe/Berlin",
    )


@pytest.fixture
def sign_in(project: Project) -> Callable[..., Client]:
    """Return a browser in which a member of the store with this role is signed in to the admin."""

    def sign_in(role: Role = Role.MARKETER, store: Project | None = None) -> Client:
        name = f"{role.lower()}-{(store or project).slug}"
        user, is_new = get_user_model().objects.get_or_create(
            username=name, defaults={"email": f"{name}@example.com", "is_staff": True}
        )
        if is_new:
            Membership.objects.create(project=store or project, user=user, role=role)
        client = Client()
        client.force_login(user, backend="insightarc_crm.roles.RoleBackend")
        return client

    return sign_in
