"""What share of the signals can be told apart by shopper, and reached by mail."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from signals_app.customers.constants import Channel, Topic
from signals_app.customers.models import Consent
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import mapping
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import WebhookDelivery, WebhookSource

SAMPLE = 500


@dataclass(frozen=True, slots=True)
class CoverageDay:
    """Signals of one day in the store's time zone; each number is part of the one before."""

    day: date
    signals: int
    identified: int
    with_email: int
    with_consent: int


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The days that had signals, oldest first, and what the newest signals themselves carried."""

    days: list[CoverageDay]
    sample_size: int
    carried: dict[str, float] = field(default_factory=dict)
    """The share, 0 to 1, of the sample that carried each kind of ID, by today's mapping: {"email": 0.42, ...}."""

    def share(self, name: str) -> float:
        """Return which share of all signals is `identified`, `with_email` or `with_consent`, 0 to 1."""
        signals = sum(day.signals for day in self.days)
        return sum(getattr(day, name) for day in self.days) / signals if signals else 0.0


def coverage(*, source: WebhookSource, days: int = 7, now: datetime) -> CoverageReport:
    """Count the processed signals of a source over the last `days`, and look closer at the newest 500 of them."""
    since = now - timedelta(days=days)
    deliveries = WebhookDelivery.objects.filter(source=source, received_at__gte=since, received_at__lte=now)
    signals = ShopperSignal.objects.filter(
        project=source.project_id, received_at__gte=since, received_at__lte=now, id__in=deliveries.values("id")
    )
    sample = list(signals.order_by("-received_at", "-pk").values("extra", "relevant_events")[:SAMPLE])
    return CoverageReport(_by_day(source, signals), len(sample), _carried(source, sample))


def _by_day(source: WebhookSource, signals: QuerySet[ShopperSignal]) -> list[CoverageDay]:
    said = Consent.objects.filter(
        identifier__customer=OuterRef("identifier__customer"), channel=Channel.EMAIL, topic=Topic.MARKETING
    )
    has_email = Q(identifier__isnull=False) & ~Q(identifier__customer__email="")
    may_mail = has_email & Exists(said.filter(is_granted=True)) & ~Exists(said.filter(is_granted=False))
    rows = (
        signals.annotate(day=TruncDate("received_at", tzinfo=zoneinfo.ZoneInfo(source.project.time_zone)))
        .values("day")
        .annotate(
            signals=Count("pk"),
            identified=Count("pk", filter=Q(identifier__isnull=False)),
            with_email=Count("pk", filter=has_email),
            with_consent=Count("pk", filter=may_mail),
        )
        .order_by("day")
    )
    return [CoverageDay(**row) for row in rows]


def _carried(source: WebhookSource, sample: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    if not sample:
        return {}
    try:
        compiled = mapping.compile_mapping(source.identity_mapping)
    except InvalidConfiguration:
        compiled = mapping.compile_mapping({})
    counts = dict.fromkeys(mapping.IDENTITY_FIELDS, 0)
    for row in sample:
        body = row["extra"] | {"relevant_events": row["relevant_events"]}
        for kind in mapping.extract(compiled, body, row["relevant_events"]).identifiers:
            counts[kind] += 1
    return {kind: count / len(sample) for kind, count in counts.items()}


def identity_request(source: WebhookSource) -> str:
    """Return what a shop can send to Insightarc, so that its signals say whose they are."""
    return f"""Hello,

we receive your webhook signals of our shop {source.project.shop_url} at
{chr(10).join(source.registered_urls) or "our CRM"}

Please add to the JSON body of each signal, beside drop_proba and the other fields, what you know of the shopper:

  "user_id"       the shop's own customer number, when the shopper is logged in
  "email"         the e-mail address, when you know it and the shopper agreed
  "anonymous_id"  your own lasting ID of the browser
  "session_id"    your ID of the visit
  "occurred_at"   the time of the signal, ISO 8601

An example:

  {{"drop_proba":0.95,"perfomance":1.2,"num_events":10,"num_loops":2,"num_broken_buttons":1,"avg_loops":2.3,
   "avg_broken_buttons":1,"relevant_events":[{{"name":"/products/example"}}],
   "user_id":"10042","anonymous_id":"v-7f3a","session_id":"s-91c2","occurred_at":"2026-11-24T10:00:00Z"}}

The anonymous_id alone already lets us tell shoppers apart. If the body cannot be extended: does it help when our
shop adds a parameter to the addresses that you report in relevant_events?

Thank you
"""
