"""Making stores and the keys of their programs, and telling whose key a request carries."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction

from signals_app.projects.constants import Role
from signals_app.projects.models import ApiKey, Membership, Project

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
