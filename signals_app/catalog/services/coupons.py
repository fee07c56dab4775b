"""Giving out coupon codes, each once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, Subquery

from signals_app.catalog.models import Coupon
from signals_app.projects.models import Project

A_TIME = 500


def add_coupons(*, project: Project, pool: str, codes: Iterable[str], expires_at: datetime | None = None) -> int:
    """Put codes into a pool and return how many are new; one that the store has already stays as it is."""
    wanted = list(dict.fromkeys(codes))
    added = 0
    for start in range(0, len(wanted), A_TIME):
        with transaction.atomic():
            part = wanted[start : start + A_TIME]
            known = set(Coupon.objects.filter(project=project, code__in=part).values_list("code", flat=True))
            fresh = [
                Coupon(project=project, pool=pool, code=code, expires_at=expires_at)
                for code in part
                if code not in known
            ]
            Coupon.objects.bulk_create(fresh, ignore_conflicts=True)
            added += len(fresh)
    return added


@transaction.atomic
def claim_coupon(*, project: Project, pool: str, claim_key: str, now: datetime) -> Coupon | None:
    """
    Give the next free code of a pool to whoever asks with `claim_key`, and the same again when asked again.

    None if the pool has no code left that is free and not expired. One statement claims, so two that ask at
    once never get the same code; on PostgreSQL neither waits for the other.
    """
    claimed = _claimed(project, claim_key)
    if claimed is not None:
        return claimed
    free = (
        Coupon.objects.select_for_update(skip_locked=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), project=project, pool=pool, claimed_at=None)
        .order_by("id")
    )
    try:
        with transaction.atomic():
            # "=" and not "IN": PostgreSQL may run an IN's subquery once a row, and each run would lock another code.
            Coupon.objects.filter(pk=Subquery(free.values("pk")[:1]), claimed_at=None).update(
                claimed_at=now, claim_key=claim_key
            )
    except IntegrityError:
        # The same key was asked for twice at once: the other one has claimed, and its code is the answer.
        return _claimed(project, claim_key)
    return _claimed(project, claim_key)


def _claimed(project: Project, claim_key: str) -> Coupon | None:
    return Coupon.objects.filter(project=project, claim_key=claim_key).first()
