"""Making stores and the keys of their programs, and telling whose key a request carries."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import models, transaction

from signals_app.projects.constants import Role
from signals_app.projects.exceptions import LastOwner, SharedAccount, TooManyViews
from signals_app.projects.models import ApiKey, Membership, Project, SavedView

KEY_PREFIX = "iac_"
PREFIX_LENGTH = len(KEY_PREFIX) + 8
LAST_USED_EVERY = timedelta(minutes=1)
"""`last_used_at` is written at most this often, so that reading the API does not write on every call."""


def create_project(
    *,
    slug: str,
    name: str,
    shop_url: str,
    time_zone: str = "UTC",
    currency: str = "EUR",
    is_demo: bool = False,
) -> Project:
    """
    Create a store.

    :raises ValidationError: if a value is not valid; it names the field.
    """
    project = Project(slug=slug, name=name, shop_url=shop_url, time_zone=time_zone, currency=currency, is_demo=is_demo)
    project.full_clean()
    project.save(force_insert=True)
    return project


def add_member(*, project: Project, user: AbstractBaseUser, role: Role) -> Membership:
    """Give a person a role in a store, or change the one they have."""
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    return membership


@transaction.atomic
def invite_member(*, project: Project, email: str, name: str = "", role: Role) -> tuple[Membership, str]:
    """
    Give the person with this e-mail a role in a store, and an account if they have none.

    Returns the first password of a new account, which is nowhere kept and never shown again; empty when the person
    had an account, whose password stays as it is.
    """
    users = get_user_model().objects
    email = email.strip().lower()
    user = users.filter(models.Q(username=email) | models.Q(email__iexact=email)).order_by("pk").first()
    password = ""
    if user is None:
        password = new_password()
        first_name, _, last_name = name.strip().partition(" ")
        user = users.create_user(email, email, password, first_name=first_name, last_name=last_name, is_staff=True)
    elif not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    return add_member(project=project, user=user, role=role), password


@transaction.atomic
def change_role(*, membership: Membership, role: Role) -> Membership:
    """
    Change what a team member may do.

    :raises LastOwner: if the store would be left without an owner.
    """
    if role != Role.OWNER:
        _require_another_owner(membership)
    membership.role = role
    membership.save(update_fields=["role", "updated_at"])
    return membership


@transaction.atomic
def remove_member(*, membership: Membership) -> None:
    """
    Take a person's access to a store; their account stays, for their other stores.

    :raises LastOwner: if the store would be left without an owner.
    """
    _require_another_owner(membership)
    membership.delete()


@transaction.atomic
def reset_password(*, membership: Membership) -> str:
    """
    Give a team member a new password and return it; it is nowhere kept and never shown again.

    :raises SharedAccount: if the account opens other stores too, or the whole site: an owner of one store would get
        into the others with it.
    """
    user = membership.user
    if user.is_superuser or Membership.objects.filter(user=user).exclude(pk=membership.pk).exists():
        raise SharedAccount(f"{user} also belongs to other stores; only they can change their password.")
    password = new_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def new_password() -> str:
    return secrets.token_urlsafe(12)


def _require_another_owner(membership: Membership) -> None:
    # The store's row is the lock: two owners who remove each other at the same moment take turns.
    Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    owners = Membership.objects.filter(project=membership.project_id, role=Role.OWNER)
    if owners.filter(pk=membership.pk).exists() and not owners.exclude(pk=membership.pk).exists():
        raise LastOwner("A store needs an owner: make somebody else an owner first.")


@transaction.atomic
def create_api_key(
    *, project: Project, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """
    Create a key and return it with its full text, which is nowhere kept and never shown again.

    :raises ValidationError: if a scope is unknown or none is given.
    """
    text = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        project=project,
        name=name,
        prefix=text[:PREFIX_LENGTH],
        key_sha256=_digest(text),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    key.full_clean()
    key.save(force_insert=True)
    return key, text


def authenticate(*, key: str, now: datetime) -> ApiKey | None:
    """Return the key that `key` is the text of, or None when it is unknown, expired or revoked."""
    if not key.startswith(KEY_PREFIX) or not key.isascii() or not key.isprintable():
        return None  # the database need not be asked, and PostgreSQL could not be: it takes no NUL
    found = (
        ApiKey.objects.select_related("project")
        .filter(prefix=key[:PREFIX_LENGTH], revoked_at=None)
        .filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now))
        .first()
    )
    if found is None or not hmac.compare_digest(found.key_sha256, _digest(key)):
        return None
    if found.last_used_at is None or now - found.last_used_at >= LAST_USED_EVERY:
        ApiKey.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def revoke_api_key(*, key: ApiKey, now: datetime) -> None:
    """Make a key useless from now on; a revoked key stays revoked."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MOST_VIEWS = 50
"""Saved views that one person has of one list, at most."""


@transaction.atomic
def save_view(*, project: Project, owner: User, list_name: str, name: str, query: str, is_shared: bool) -> SavedView:
    """
    Keep a list's search, filters and order under a name; the same person's view of that name is replaced.

    :raises ValidationError: if a value is not valid; it names the field.
    :raises TooManyViews: if the person has `MOST_VIEWS` of this list already.
    """
    # The store's row is the lock: two clicks on the same button are one view.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    own = SavedView.objects.filter(project=project, owner=owner, list_name=list_name)
    view = own.filter(name=name).first() or SavedView(project=project, owner=owner, list_name=list_name, name=name)
    if view._state.adding and own.count() >= MOST_VIEWS:
        raise TooManyViews(f"You have {MOST_VIEWS} saved views of this list: delete one first.")
    view.query, view.is_shared = query, is_shared
    view.full_clean(exclude=["project", "owner"])
    view.save()
    return view


def views_for(*, project: Project, user: User, list_name: str) -> models.QuerySet[SavedView]:
    """Return the views of a list that a person sees: their own, and those shared with the store."""
    seen = models.Q(is_shared=True) | models.Q(owner=user)
    return SavedView.objects.filter(seen, project=project, list_name=list_name)
