"""
What is deleted after its time, in all rooms: the one list that `manage.py prune` and the hourly task go through.

A room whose tables grow with the traffic has a `retention.py`; its `PRUNABLES` stand here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from signals_app.api import retention as api
from signals_app.audit import retention as audit
from signals_app.audit.services import note_pruned
from signals_app.core.pruning import Prunable, count_expired, days_in_words, prune
from signals_app.customers import retention as customers
from signals_app.emails import retention as emails
from signals_app.facts import retention as facts
from signals_app.remarketing import retention as remarketing
from signals_app.shopper_signals import retention as shopper_signals
from signals_app.shops import retention as shops
from signals_app.storefront import retention as storefront
from signals_app.transfers import retention as transfers
from signals_app.webhooks import retention as webhooks


def _sessions(now: datetime) -> Iterable[QuerySet[Session]]:
    return [Session.objects.filter(expire_date__lt=now).order_by("expire_date")]


def _sign_ins(now: datetime) -> Iterable[QuerySet[Any]]:
    oldest = now - timedelta(days=settings.KEEP_AUDIT_DAYS)
    return [AccessLog.objects.filter(attempt_time__lt=oldest).order_by("pk")]


def _failed_sign_ins(now: datetime) -> Iterable[QuerySet[Any]]:
    oldest = now - timedelta(days=settings.KEEP_AUDIT_DAYS)
    return [model.objects.filter(attempt_time__lt=oldest).order_by("pk") for model in (AccessAttempt, AccessFailureLog)]


def _audit_kept_for() -> str:
    return days_in_words(settings.KEEP_AUDIT_DAYS)


PRUNABLES = (
    *customers.PRUNABLES,
    *shopper_signals.PRUNABLES,
    *webhooks.PRUNABLES,
    *emails.PRUNABLES,
    *remarketing.PRUNABLES,
    *facts.PRUNABLES,
    *storefront.PRUNABLES,
    *transfers.PRUNABLES,
    *shops.PRUNABLES,
    *api.PRUNABLES,
    *audit.PRUNABLES,
    Prunable(
        "sign-ins", _sign_ins, model=AccessLog, oldest="attempt_time", about="When the team signed in, from where",
        kept_for=_audit_kept_for, setting="KEEP_AUDIT_DAYS",
    ),
    Prunable(
        "failed sign-ins", _failed_sign_ins, model=AccessAttempt, oldest="attempt_time", about="Failed sign-ins",
        kept_for=_audit_kept_for, setting="KEEP_AUDIT_DAYS",
    ),
    Prunable("sessions that ended", _sessions, model=Session, about="Sessions of the team", kept_for=lambda: "2 weeks"),
)  # fmt: skip

KEPT = {
    "customers.Order": ("Orders", "with the shopper: results are made of them"),
    "customers.Checkout": ("Visits to the checkout", "with the shopper"),
    "customers.Fulfilment": ("Shipments", "with the shopper"),
    "customers.ConsentChange": ("History of consents", "with the shopper: it proves what they allowed"),
    "customers.ErasureTombstone": (
        "Fingerprints of erased people",
        "for ever: nobody can read them, and they keep erased people from coming back",
    ),
    "remarketing.RuleMatch": ("Recipient activity", "with the shopper: the results of automations are made of it"),
    "remarketing.ErasedResult": ("Results that erased people count in", "for ever: numbers of a day that name nobody"),
    "emails.EmailMessage": ("E-mails", "with the shopper, but for what they said: limits and results count them"),
    "emails.Suppression": ("Suppressions", "for ever: who must get no mail"),
    "webhooks.SignatureFailure": ("Refused requests put aside", "14 days, and at most 150 for each connection"),
    "catalog.Product": ("Products", "as long as the shop has them"),
}
"""Tables that grow and have no entry above: what a marketer calls them, and how long their rows are kept."""


def prune_all(*, now: datetime, seconds: float) -> tuple[dict[str, int], bool]:
    """Delete what has been kept long enough, for at most some seconds; return how many of each, and whether it was all."""
    stop_at, counts, left_over = time.monotonic() + seconds, {}, {}
    for prunable in PRUNABLES:
        counts[prunable.name], is_done = prune(prunable, now=now, stop_at=stop_at)
        left_over[prunable.name] = not is_done
    note_pruned(deleted=counts, left_over=left_over, now=now)
    return counts, not any(left_over.values())


def count_all(*, now: datetime) -> dict[str, int]:
    """Count what `prune_all` would delete."""
    return {prunable.name: count_expired(prunable, now=now) for prunable in PRUNABLES}
