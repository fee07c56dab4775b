"""Writing down who did what, and what was deleted because its time was over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from signals_app.audit.constants import COMMAND, KEY_PREFIX, AuditAction
from signals_app.audit.models import AuditEntry, PruneRun
from signals_app.core.deeds import Deed
from signals_app.projects.models import ApiKey, Project


def note(
    *,
    project: Project,
    actor: str,
    action: AuditAction | str,
    user: Any = None,
    model: str = "",
    object_id: object = "",
    object_name: str = "",
    detail: str = "",
    is_once_an_hour: bool = False,
    now: datetime,
) -> bool:
    """
    Write down that somebody did something, and say whether it was written.

    With `is_once_an_hour` the same of one hour is written once: whoever looks a hundred times has looked.
    """
    once_key = None
    if is_once_an_hour:
        hour = now.replace(minute=0, second=0, microsecond=0).timestamp()
        said = "\0".join(map(str, (project.pk, actor, action, model, object_id, detail, hour)))
        once_key = hashlib.sha256(said.encode()).hexdigest()
        if AuditEntry.objects.filter(once_key=once_key).exists():
            return False  # reading is cheaper than writing, on SQLite above all
    entry = AuditEntry(
        project=project,
        at=now,
        user_id=getattr(user, "pk", None),
        actor=actor[:150],
        action=action,
        model=model,
        object_id=str(object_id)[:64],
        object_name=object_name[:200],
        detail=detail[:300],
        once_key=once_key,
    )
    AuditEntry.objects.bulk_create([entry], ignore_conflicts=True)
    return True


def note_deed(request: HttpRequest, deed: Deed) -> None:
    """Write down what a person did in the admin, in the store that they are in; without a store there is no record."""
    project = getattr(request, "project", None)
    if project is None or not request.user.is_authenticated:
        return
    note(
        project=project,
        user=request.user,
        actor=request.user.get_username(),
        action=deed.kind.value,
        model=deed.model,
        object_id=deed.object_id,
        object_name=deed.object_name,
        detail=deed.detail,
        is_once_an_hour=deed.is_look,
        now=timezone.now(),
    )


def note_command(
    *,
    project: Project,
    action: AuditAction,
    model: str = "",
    object_id: object = "",
    object_name: str = "",
    detail: str = "",
    now: datetime,
) -> None:
    """Write down what was done on the command line; who it was, the server knows."""
    note(
        project=project,
        actor=COMMAND,
        action=action,
        model=model,
        object_id=object_id,
        object_name=object_name,
        detail=detail,
        now=now,
    )


def note_key(*, key: ApiKey, detail: str, model: str = "", now: datetime) -> None:
    """
    Write down that a program wrote something, once an hour for each key and kind of write.

    A shop's programs write every order and visit; each of these says itself where it came from.
    """
    note(
        project=key.project,
        actor=f"{KEY_PREFIX}{key.prefix}",
        action=AuditAction.WROTE,
        model=model,
        detail=detail,
        is_once_an_hour=True,
        now=now,
    )


@transaction.atomic
def note_pruned(*, deleted: Mapping[str, int], left_over: Mapping[str, bool], now: datetime) -> None:
    """Remember how many rows of each kind were deleted because their time was over, and of which there are more."""
    for name, count in sorted(deleted.items()):
        said: dict[str, Any] = {"ran_at": now, "is_all": not left_over.get(name, False)}
        PruneRun.objects.get_or_create(name=name, defaults=said)
        if count:
            said |= {"deleted": count, "deleted_at": now, "deleted_in_all": F("deleted_in_all") + count}
        PruneRun.objects.filter(name=name).update(**said)
