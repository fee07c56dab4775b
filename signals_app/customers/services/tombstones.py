"""Keyed hashes of erased identifiers: enough to recognise a replay, not enough to know whom it was about."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings

from signals_app.customers.joining import Key
from signals_app.customers.models import ErasureTombstone
from signals_app.projects.models import Project


def bury(*, project: Project, keys: Iterable[Key], erasure_id: UUID | None = None, now: datetime) -> None:
    """Remember that these identifiers were erased, and which of them together."""
    newest = settings.FIELD_ENCRYPTION_KEYS[0]
    ErasureTombstone.objects.bulk_create(
        [
            ErasureTombstone(
                project=project, identifier_hash=_hash(newest, project, key), erasure_id=erasure_id, erased_at=now
            )
            for key in keys
        ],
        ignore_conflicts=True,
    )


def erased_among(*, project: Project, keys: Collection[Key]) -> set[Key]:
    """Return those of the identifiers that were erased."""
    if not ErasureTombstone.objects.filter(project=project).exists():
        return set()  # most stores never erased anyone: spare them the hashing
    hashes = {_hash(secret, project, key): key for secret in settings.FIELD_ENCRYPTION_KEYS for key in keys}
    found = ErasureTombstone.objects.filter(project=project, identifier_hash__in=hashes)
    return {hashes[value] for value in found.values_list("identifier_hash", flat=True)}


def lift(*, project: Project, keys: Iterable[Key], erased_before: datetime) -> None:
    """
    Forget that these identifiers were erased before a time, because their person came back then and agreed.

    What was erased together with them is lifted too: the shop goes on sending the person's other identifiers, and one
    that stays erased would keep everything of theirs out.
    """
    hashes = {_hash(secret, project, key) for secret in settings.FIELD_ENCRYPTION_KEYS for key in keys}
    old = ErasureTombstone.objects.filter(project=project, erased_at__lt=erased_before)
    found = old.filter(identifier_hash__in=hashes)
    erasures = {erasure_id for erasure_id in found.values_list("erasure_id", flat=True) if erasure_id}
    if erasures:
        old.filter(erasure_id__in=erasures).delete()
    found.delete()


def _hash(secret: str, project: Project, key: Key) -> str:
    message = "\0".join((str(project.pk), key.kind, key.value))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
