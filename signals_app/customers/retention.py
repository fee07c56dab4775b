"""How long shoppers are kept who do not come back, and the reports of erasures."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.customers.constants import ErasureState
from signals_app.customers.models import ConsentChange, Customer, ErasureReport, Order
from signals_app.customers.services import erasure
from signals_app.projects.models import Project

DAYS_OF_A_MONTH = 30.4375


def unseen_since(now: datetime) -> datetime | None:
    """Return the time since which a shopper must have been seen to be kept; None: all are kept."""
    months = settings.KEEP_UNSEEN_SHOPPERS_MONTHS
    return now - timedelta(days=months * DAYS_OF_A_MONTH) if months else None


def _unseen(now: datetime) -> Iterable[QuerySet[Customer]]:
    """Find who was not seen, ordered nothing and said nothing about consent since."""
    since = unseen_since(now)
    if since is None:
        return []
    orders = Order.objects.filter(identifier__customer=OuterRef("pk"), placed_at__gte=since)
    said = ConsentChange.objects.filter(identifier__customer=OuterRef("pk"), recorded_at__gte=since)
    never_seen = Q(last_seen_at=None, created_at__lt=since)
    silent = Customer.objects.filter(~Exists(orders), ~Exists(said))
    return [
        found
        for project in Project.objects.order_by("pk")
        for found in (
            silent.filter(project=project, last_seen_at__lt=since).order_by("last_seen_at", "pk"),
            silent.filter(never_seen, project=project).order_by("pk"),
        )
    ]


def _forget(pks: list[Any], stop_at: float) -> int:
    count, now = 0, timezone.now()
    for customer in Customer.objects.filter(pk__in=pks).select_related("project"):
        if (left := stop_at - time.monotonic()) <= 0:
            break
        report = erasure.begin_erasure(customer=customer, by="retention", is_forgetting=True, now=now)
        if report is not None:
            erasure.continue_erasures(now=now, seconds=left, only=report.pk)  # the workers go on with what is left
            count += 1
    return count


def _reports(now: datetime) -> Iterable[QuerySet[ErasureReport]]:
    old = ErasureReport.objects.filter(
        state=ErasureState.DONE, begun_at__lt=now - timedelta(days=settings.KEEP_AUDIT_DAYS)
    )
    return [old.filter(project=project).order_by("begun_at", "pk") for project in Project.objects.order_by("pk")]


def _unseen_kept_for() -> str:
    months = settings.KEEP_UNSEEN_SHOPPERS_MONTHS
    return f"{months} months after their last visit, order or consent" if months else "for ever"


PRUNABLES = (
    Prunable(
        "shoppers not seen any more", _unseen, delete_outside=_forget, model=Customer, oldest="last_seen_at",
        about="Shoppers who do not come back, with their signals, mails and orders", kept_for=_unseen_kept_for,
        setting="KEEP_UNSEEN_SHOPPERS_MONTHS",
    ),
    Prunable(
        "reports of erasures", _reports, model=ErasureReport, oldest="begun_at",
        about="Reports of erasures", kept_for=lambda: days_in_words(settings.KEEP_AUDIT_DAYS), setting="KEEP_AUDIT_DAYS",
    ),
)  # fmt: skip
