"""What the connection page says about one connection, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from signals_app.webhooks.constants import DeliveryVerdict, InboxState, RejectionReason
from signals_app.webhooks.inbox import DUPLICATE
from signals_app.webhooks.models import HourlyCount, InboxItem, WebhookDelivery, WebhookSource

DAYS = 7
LATEST = 8
WAITING_COUNTED = 1_000

EXPLANATIONS = {
    RejectionReason.NO_SECRET.value: (
        "Came before a secret was pasted",
        "The newest 50 are kept and checked as soon as you paste it.",
    ),
    RejectionReason.BAD_SIGNATURE.value: (
        "The signature did not match",
        "What differs, and what to change, stands above.",
    ),
    DUPLICATE: ("Repeats", "The same bytes again: counted on the first copy, and nothing is triggered twice."),
}


@dataclass(frozen=True)
class State:
    tone: str
    word: str
    sentence: str


def state(source: WebhookSource, *, now: datetime) -> State:
    """Return how the connection is doing: one word for lists, one sentence for the page."""
    latest = newest(source)
    if source.is_paused:
        return State("warn", "Paused", "Signals are received and kept, and processed when you go on.")
    if not source.secrets.exists():
        return State("bad", "Secret missing", "Paste the webhook secret of Insightarc; until then signals are refused.")
    is_silent = latest is None or now - latest.received_at > timedelta(hours=24)
    if is_silent and _has_refused(source, since=now - timedelta(hours=24)):
        return State("bad", "Not verified", "Requests come in, but their signatures do not match.")
    if latest is None:
        return State("info", "Waiting", "Everything is ready; the first signed signal has not come yet.")
    if is_silent:
        return State("warn", "Silent", "No signal for more than a day. Is the webhook still active at Insightarc?")
    return State("good", "Receiving", "Signed signals are coming in.")


def _has_refused(source: WebhookSource, *, since: datetime) -> bool:
    refused = HourlyCount.objects.filter(source=source, outcome=RejectionReason.BAD_SIGNATURE, hour__gte=since)
    return refused.exists()


def newest(source: WebhookSource) -> WebhookDelivery | None:
    deliveries = WebhookDelivery.objects.filter(source=source).defer("body")
    return deliveries.order_by("-received_at", "-id").first()


def first_signed(source: WebhookSource) -> WebhookDelivery | None:
    signed = WebhookDelivery.objects.filter(source=source).exclude(verdict=DeliveryVerdict.MALFORMED).defer("body")
    return signed.order_by("received_at", "id").first()


def latest_deliveries(source: WebhookSource) -> list[WebhookDelivery]:
    deliveries = WebhookDelivery.objects.filter(source=source).defer("body").select_related("inbox_item")
    return list(deliveries.order_by("-received_at", "-id")[:LATEST])


def rejections(source: WebhookSource, *, now: datetime) -> list[dict[str, Any]]:
    """Return what was not taken in the last week, how often, and what to make of it."""
    counts = HourlyCount.objects.filter(source=source, hour__gte=now - timedelta(days=DAYS))
    return [
        {"title": EXPLANATIONS[outcome][0], "text": EXPLANATIONS[outcome][1], "count": total}
        for outcome, total in counts.order_by("outcome").values_list("outcome").annotate(total=Sum("count"))
        if outcome in EXPLANATIONS and total
    ]


def backlog(source: WebhookSource) -> dict[str, int]:
    """Return how many deliveries wait, are parked or need fixing, each counted no further than 1,000."""
    items = InboxItem.objects.filter(source=source).order_by()
    return {each.value.lower(): items.filter(state=each)[:WAITING_COUNTED].count() for each in InboxState}
