"""The people who may log in to the demo store. Known passwords: made only for a store labelled as demo data."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model

from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project

PASSWORD = "demo-nordlicht"  # noqa: S105 - printed on the screen by `make demo`; the demo listens on loopback only


@dataclass(frozen=True)
class Account:
    email: str
    role: Role


ACCOUNTS = (
    Account("owner@demo.example", Role.OWNER),
    Account("marketer@demo.example", Role.MARKETER),
)


def create_accounts(project: Project) -> None:
    """Make the demo's people members of the demo store."""
    users = get_user_model().objects
    for account in ACCOUNTS:
        user, is_new = users.get_or_create(username=account.email, defaults={"email": account.email, "is_staff": True})
        if is_new:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
        Membership.objects.get_or_create(project=project, user=user, defaults={"role": account.role})
