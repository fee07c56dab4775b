"""Claiming rows that are work to do, so that one worker at a time has each of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet

from signals_app.core.models import ClaimedModel

Claimed = TypeVar("Claimed", bound=ClaimedModel)


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows claimed together. Whoever finishes one filters by `lease_token=token`, so that a lost lease shows."""

    token: uuid.UUID
    pks: tuple[Any, ...]


def claim(queryset: QuerySet[Claimed], *, now: datetime, lease: timedelta, limit: int) -> Claim:
    """
    Take up to `limit` rows of `queryset` for `lease`, in its order, and commit that before any work starts.

    Each row's `attempts` rises by one, so the attempt of a worker that is killed counts too. Rows under somebody
    else's running lease are left out. PostgreSQL skips rows that another worker is claiming at this moment; SQLite
    lets one writer in at a time (IMMEDIATE), so what is read here cannot be claimed by another before the update.
    """
    token = uuid.uuid4()
    free = queryset.filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now))
    with transaction.atomic():
        pks = tuple(free.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
        if pks:
            queryset.model._default_manager.filter(pk__any_of=pks).update(
                attempts=F("attempts") + 1, lease_token=token, lease_until=now + lease
            )
    return Claim(token=token, pks=pks)
