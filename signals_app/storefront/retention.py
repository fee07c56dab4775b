"""How long is kept what pages said: unproven addresses 90 days, hourly counts like all counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
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
    Prunable(
        "unproven e-mail addresses", _claims, model=EmailClaim, oldest="claimed_at",
        about="E-mail addresses that somebody gave without proof", kept_for=lambda: days_in_words(CLAIM_KEPT.days),
    ),
    Prunable(
        "hourly counts of calls from shops' pages", _hourly_calls, model=HourlyCalls, oldest="hour",
        about="Hourly counts of calls from the shop's pages",
        kept_for=lambda: days_in_words(settings.KEEP_COUNTS_DAYS), setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
