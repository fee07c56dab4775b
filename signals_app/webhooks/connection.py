"""What the connection page says about one connection, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum

from signals_app.webhooks.constants import AlertKind, DeliveryVerdict, InboxState, ProbeOutcome, RejectionReason
from signals_app.webhooks.inbox import DUPLICATE
from signals_app.webhooks.models import (
    AddressProbe,
    ConnectionAlert,
    HourlyCount,
    InboxItem,
    WebhookDelivery,
    WebhookSource,
)
from signals_app.webhooks.services import probing

DAYS = 7
LATEST = 8
WAITING_COUNTED = 1_000
ALERT_DAYS = 14
ALERTS_SHOWN = 5
STATE_OF_ALERT = {AlertKind.SILENT.value: "Silent", AlertKind.BAD_SIGNATURES.value: "Refused"}
PROBE_TONES = {
    ProbeOutcome.OK.value: "good",
    ProbeOutcome.WRONG_ANSWER.value: "bad",
    ProbeOutcome.BAD_CERTIFICATE.value: "bad",
    ProbeOutcome.NO_ANSWER.value: "warn",
}

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
    """How a connection is doing: one word for lists, one sentence for the page."""

    tone: str
    word: str
    sentence: str


def state(source: WebhookSource, *, now: datetime) -> State:
    """Return how the connection is doing: one word for lists, one sentence for the page."""
    latest = newest(source)
    if source.is_paused:
        return State("warn", "Paused", "Signals are received and kept, and processed when you go on.")
    if (without := _secret_state(source, now)) is not None:
        return without
    if (alert := open_alerts(source).filter(kind__in=STATE_OF_ALERT).order_by("opened_at").last()) is not None:
        return State("bad", STATE_OF_ALERT[alert.kind], alert.detail)
    is_silent = latest is None or now - latest.received_at > timedelta(hours=24)
    if is_silent and _has_refused(source, since=now - timedelta(hours=24)):
        return State("bad", "Not verified", "Requests come in, but their signatures do not match.")
    if latest is None:
        return State("info", "Waiting", "Everything is ready; the first signed signal has not come yet.")
    if is_silent:
        return State("warn", "Silent", "No signal for more than a day. Is the webhook still active at Insightarc?")
    return State("good", "Receiving", "Signed signals are coming in.")


def _secret_state(source: WebhookSource, now: datetime) -> State | None:
    """Return what is wrong with the secrets of a source, if anything is."""
    secrets = list(source.secrets.defer("secret"))
    if not secrets:
        return State("bad", "Secret missing", "Paste the webhook secret of Insightarc; until then signals are refused.")
    valid = [secret for secret in secrets if secret.is_valid(now=now)]
    if not valid:
        return State("bad", "Secret expired", "No secret is valid any more, so signals are refused. Paste today's.")
    ends = [secret.expires_at for secret in valid if secret.expires_at is not None]
    if len(ends) < len(valid):
        return None
    last = f"{max(ends).astimezone(ZoneInfo(source.project.time_zone)):%-d %B, %H:%M}"
    return State(
        "warn",
        "Secret ends",
        f"The last secret ends on {last}, then signals are refused. Paste the new one, or keep it.",
    )


def open_alerts(source: WebhookSource) -> QuerySet[ConnectionAlert]:
    return ConnectionAlert.objects.filter(source=source, resolved_at=None)


def past_alerts(source: WebhookSource, *, now: datetime) -> list[ConnectionAlert]:
    """Return the latest alerts that are over."""
    over = ConnectionAlert.objects.filter(source=source, resolved_at__gte=now - timedelta(days=ALERT_DAYS))
    return list(over.order_by("-resolved_at")[:ALERTS_SHOWN])


def probes(source: WebhookSource, *, now: datetime) -> list[dict[str, Any]]:
    """Return what each registered address answered when it was last asked, in their order; of some nothing is known."""
    known = {row.url: row for row in AddressProbe.objects.filter(source=source)}
    return [
        {
            "url": url,
            "row": (row := known.get(url)),
            "tone": PROBE_TONES.get(row.outcome, "neutral") if row else "neutral",
            "days_left": (row.certificate_expires_at - now).days if row and row.certificate_expires_at else None,
            "is_private": probing.is_development(url),
        }
        for url in source.registered_urls
    ]


def _has_refused(source: WebhookSource, *, since: datetime) -> bool:
    """Tell whether requests came that did not verify; those from before the secret were checked when it was pasted."""
    return HourlyCount.objects.filter(
        source=source, outcome__in=(RejectionReason.BAD_SIGNATURE, RejectionReason.NO_SECRET), hour__gte=since
    ).exists()


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
