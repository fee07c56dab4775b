"""What the page of a shop connection says, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count

from signals_app.projects.models import ApiKey, Project
from signals_app.shops import services as shops
from signals_app.shops.constants import PRIVACY_TOPICS, SUBSCRIBED_TOPICS, TOPICS, Resource, SyncKind, SyncState
from signals_app.shops.models import PrivacyRequest, ShopConnection, ShopDifference, ShopSync, ShopTopic
from signals_app.webhooks.connection import State
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, ShopDelivery, WebhookDelivery, WebhookSource

COUNTED_TO = 1_000
REFUSED_DAYS = 7
DIFFERENCES_SHOWN = 10
SCOPES = "read_orders,read_all_orders,read_customers,read_products,read_fulfillments,read_checkouts"
"""What the app has to be allowed: `read_all_orders` only for orders older than 60 days."""
REFUSED = {
    "BAD_SIGNATURE": "The signature did not match. Is the secret of this very app pasted here?",
    "NO_SECRET": "Came before a secret was pasted; Shopify tries again for four hours.",
    "OTHER_SHOP": "Signed with the right secret, but for another shop. Is the domain right?",
}


@dataclass(slots=True)
class TopicRow:
    topic: str
    label: str
    processed: int = 0
    passed_over: int = 0
    reason: str = ""
    needs_fixing: int = 0
    last_at: datetime | None = None
    is_subscribed: bool = False


@dataclass(frozen=True, slots=True)
class SyncRow:
    sync: ShopSync
    tone: str
    progress: float | None
    """0 to 100; None where it cannot be said."""
    lines: list[str]


def state(shop: ShopConnection, source: WebhookSource, *, now: datetime) -> State:
    """Return how the connection is doing: one word for lists, one sentence for the page."""
    if shop.uninstalled_at is not None:
        return State(
            "bad", "App removed", "The app was removed from the shop. Install it again, then paste a token here."
        )
    if source.is_paused:
        return State("warn", "Paused", "What comes in is kept and processed when you go on.")
    if not source.secrets.valid(now=now).exists():
        return State("warn", "Not finished", "Paste the secret of the app: until then webhooks are refused.")
    if shop.problem:
        return State("bad", "Shopify refuses us", shop.problem)
    newest = WebhookDelivery.objects.filter(source=source).order_by("-received_at", "-id").first()
    if newest is None:
        return State("info", "Ready", "No webhook has come yet. Have Shopify post to us, below, or place an order.")
    return State("good", "Connected", "Webhooks come in and are processed.")


def topics(shop: ShopConnection, source: WebhookSource) -> list[TopicRow]:
    """Return what arrived, by topic: those that mean something to us, then what else came."""
    known = {row.topic: row for row in ShopTopic.objects.filter(shop=shop)}
    fixing = dict(
        ShopDelivery.objects.filter(
            pk__in=InboxItem.objects.filter(source=source, state=InboxState.QUARANTINED).values("pk")[:COUNTED_TO]
        )
        .values_list("topic")
        .annotate(count=Count("pk"))
    )
    names = [*TOPICS, *sorted({*known, *fixing} - TOPICS.keys())]
    rows = []
    for name in names:
        seen = known.get(name)
        row = TopicRow(name, TOPICS.get(name, "Not used here"), is_subscribed=name in shop.subscribed_topics)
        row.needs_fixing = fixing.get(name, 0)
        if seen is not None:
            row.processed, row.passed_over, row.last_at = seen.processed, seen.passed_over, seen.last_at
            row.reason = seen.last_reason if seen.passed_over else ""
        rows.append(row)
    return rows


def refusals(source: WebhookSource, *, now: datetime) -> list[tuple[int, str]]:
    """Return how many requests were not believed in the last days, and what that may mean."""
    since = now - timedelta(days=REFUSED_DAYS)
    counts: dict[str, int] = {}
    for row in HourlyCount.objects.filter(source=source, hour__gte=since, outcome__in=REFUSED):
        counts[row.outcome] = counts.get(row.outcome, 0) + row.count
    return [(count, REFUSED[outcome]) for outcome, count in sorted(counts.items())]


def sync_row(sync: ShopSync) -> SyncRow:
    share = shops.progress(sync)
    lines = []
    for resource in Resource:
        counted = sync.counts.get(resource.value)
        if counted:
            expected = counted.get("expected")
            of = f" of {expected:,}" if expected is not None else ""
            out = f", {counted['left_out']:,} left out" if counted["left_out"] else ""
            verb = "erased" if sync.kind == SyncKind.ERASURE else "new or changed"
            lines.append(f"{resource.label}: {counted['read']:,}{of} read, {counted['changed']:,} {verb}{out}.")
    tones = {SyncState.DONE.value: "good", SyncState.FAILED.value: "bad", SyncState.STOPPED.value: "neutral"}
    return SyncRow(sync, tones.get(sync.state, "info"), None if share is None else 100 * share, lines)


def latest_sync(shop: ShopConnection, kind: SyncKind) -> SyncRow | None:
    sync = ShopSync.objects.filter(shop=shop, kind=kind).order_by("-started_at", "-pk").first()
    return sync_row(sync) if sync else None


def differences(shop: ShopConnection) -> list[ShopDifference]:
    return list(ShopDifference.objects.filter(shop=shop).order_by("-found_at", "-pk")[:DIFFERENCES_SHOWN])


def open_requests(shop: ShopConnection) -> int:
    return PrivacyRequest.objects.filter(shop=shop, done_at=None).count()


def missing_topics(shop: ShopConnection) -> list[str]:
    return [topic for topic in SUBSCRIBED_TOPICS if topic not in shop.subscribed_topics]


def privacy_topics() -> tuple[str, ...]:
    return PRIVACY_TOPICS


@dataclass(frozen=True, slots=True)
class Example:
    key: str
    title: str
    text: str


def rest_examples(project: Project) -> list[Example]:
    """Return calls by which any other shop system says the same, ready but for the key."""
    newest = ApiKey.objects.filter(project=project, revoked_at=None).order_by("-created_at").first()
    key = f"{newest.prefix}…" if newest else "YOUR-KEY"
    order = {
        "order_id": "1001",
        "email": "anna@example.com",
        "total": "59.90",
        "currency": project.currency,
        "placed_at": "2026-11-24T10:15:00Z",
        "items": [{"sku": "A-1", "title": "Wool scarf", "quantity": 1}],
    }
    consent = {
        "email": "anna@example.com",
        "channel": "email",
        "topic": "marketing",
        "granted": True,
        "source": "newsletter form",
        "occurred_at": "2026-11-24T10:15:00Z",
    }
    who = {"external_id": "4711", "email": "anna@example.com", "attributes": {"first_name": "Anna"}}
    said: dict[str, tuple[str, dict[str, Any]]] = {
        "orders": ("An order, and what became of it", order),
        "consent": ("What a customer allows", consent),
        "identify": ("Who a customer is", who),
    }
    return [
        Example(
            path,
            title,
            f"curl -X POST {settings.PUBLIC_URL}/api/v1/{path}/ \\\n"
            f"  -H 'Authorization: Bearer {key}' \\\n"
            f"  -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(body)}'",
        )
        for path, (title, body) in said.items()
    ]
