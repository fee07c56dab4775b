"""What each role may do: the one place where roles become permissions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from signals_app.projects.constants import Role


class RoleBackend(ModelBackend):
    """Grant the permissions of the role that the person has in the current store."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return super().has_perm(user_obj, perm, obj) or role_allows(getattr(user_obj, "role", ""), perm)


def role_allows(role: str, permission: str) -> bool:
    """Say whether a role holds a permission such as `remarketing.change_remarketingrule`."""
    return role == Role.OWNER
