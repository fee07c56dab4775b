"""How long is kept what pages said: unproven addresses 90 days, hourly counts like all counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable
from signals_app.storefront.constants import CLAIM_KEPT
from signals_app.storefront.models import EmailClaim, HourlyCalls, Storefront


def _claims(now: datetime) -> Iterable[QuerySet[EmailClaim]]:
    return [EmailClaim.objects.filter(claimed_at__lt=now - CLAIM_KEPT).order_by("claimed_at")]


def _hourly_calls(now: datetime) -> Iterable[QuerySet[HourlyCalls]]:
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    return [
        HourlyCalls.objects.filter(storefront=storefront, hour__lt=oldest).order_by("hour", "outcome")
        for storefront in Storefront.objects.order_by("pk")
    ]


PRUNABLES = (
    Prunable("unproven e-mail addresses", _claims),
    Prunable("hourly counts of calls from shops' pages", _hourly_calls),
)
