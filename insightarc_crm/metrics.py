"""
`/metrics`, in the text format of Prometheus, for the operator alone.

What the processes measured of themselves comes from `process_metrics`; what stands in the database is asked for at
each scrape, by queries that have an index or read tables that are small by design, and that end after two seconds.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from insightarc_crm import process_metrics
from insightarc_crm.periodic_tasks import EVERY_SECONDS
from signals_app.core.visitors import address_of
from signals_app.emails.constants import DUE_STATES, MessageState
from signals_app.emails.models import EmailMessage
from signals_app.facts.models import FailedFact
from signals_app.remarketing.constants import MatchState
from signals_app.remarketing.models import RuleMatch
from signals_app.webhooks import services as webhooks
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, WebhookSource

logger = logging.getLogger(__name__)

COUNT_AT_MOST = 100_000
STATEMENT_MILLISECONDS = 2_000
INBOX_STATES = {
    InboxState.PENDING: "pending",
    InboxState.PARKED: "parked",
    InboxState.QUARANTINED: "needs_fixing",
}
OPEN_MAIL_STATES = (MessageState.QUEUED, MessageState.RETRY, MessageState.SENDING)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape; to everybody else than the operator, there is nothing here."""
    if not _is_operator(request):
        return HttpResponseNotFound()
    text = generate_latest(process_metrics.registry(StoredFigures()))
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})


def _is_operator(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        return True
    address = address_of(request)
    return address is not None and any(address in network for network in settings.METRICS_ALLOW)


class StoredFigures(Collector):
    """What the database says about the work that waits; the same from whichever host it is asked."""

    def collect(self) -> Iterator[Metric]:
        try:
            with _short_statements():
                found = list(_stored())
        except DatabaseFailure:
            logger.exception("The stored figures could not be read for a scrape.")
            found = []
        yield from found
        yield GaugeMetricFamily("insightarc_database_up", "Whether the database answered.", value=bool(found))
        every = GaugeMetricFamily(
            "insightarc_task_interval_seconds", "How often beat asks for a task.", labels=["task"]
        )
        for task, seconds in EVERY_SECONDS.items():
            every.add_metric([task], seconds)
        yield every


def _stored() -> Iterator[Metric]:
    now = timezone.now()
    yield from _inbox(now)
    yield from _due_work(now)
    yield _failed_facts()
    yield _rejections(now)
    yield _alerts()


def _inbox(now: datetime) -> Iterator[Metric]:
    items = GaugeMetricFamily("insightarc_inbox_items", "Deliveries in the inbox, by state.", labels=["state"])
    counts = dict(InboxItem.objects.order_by().values_list("state").annotate(Count("pk")))
    for state, name in INBOX_STATES.items():
        items.add_metric([name], counts.get(state, 0))
    yield items
    waiting = InboxItem.objects.filter(state=InboxState.PENDING)
    yield GaugeMetricFamily(
        "insightarc_inbox_oldest_pending_seconds",
        "For how long the oldest waiting delivery has been due.",
        value=_oldest(waiting, now),
    )


def _due_work(now: datetime) -> Iterator[Metric]:
    counts = GaugeMetricFamily(
        "insightarc_due_items", f"Work that is due now, counted up to {COUNT_AT_MOST}.", labels=["kind"]
    )
    oldest = GaugeMetricFamily(
        "insightarc_due_oldest_seconds", "For how long the oldest due work has been due.", labels=["kind"]
    )
    kinds: dict[str, QuerySet[Any]] = {
        "matches": RuleMatch.objects.filter(state=MatchState.PLANNED),
        "mails": EmailMessage.objects.filter(state__in=DUE_STATES),
    }
    for kind, waiting in kinds.items():
        counts.add_metric([kind], waiting.filter(due_at__lte=now).order_by()[:COUNT_AT_MOST].count())
        oldest.add_metric([kind], _oldest(waiting, now))
    yield counts
    yield oldest
    mails = GaugeMetricFamily(
        "insightarc_mails_open", f"Mails on their way, by state, counted up to {COUNT_AT_MOST}.", labels=["state"]
    )
    for state in OPEN_MAIL_STATES:
        mails.add_metric([state], EmailMessage.objects.filter(state=state).order_by()[:COUNT_AT_MOST].count())
    yield mails


def _failed_facts() -> Metric:
    facts = GaugeMetricFamily(
        "insightarc_failed_facts", "Facts that could not be followed: tried again, or given up.", labels=["state"]
    )
    counts = FailedFact.objects.aggregate(waiting=Count("due_at"), given_up=Count("pk", filter=Q(due_at=None)))
    for state, count in counts.items():
        facts.add_metric([state], count)
    return facts


def _rejections(now: datetime) -> Metric:
    """The counts of the running hour, of each source: by source, since that is what their index begins with."""
    rejected = GaugeMetricFamily(
        "insightarc_requests_this_hour",
        "Requests of a source since the hour began that were not accepted as new.",
        labels=["source", "outcome"],
    )
    hour = now.replace(minute=0, second=0, microsecond=0)
    sources = list(WebhookSource.objects.values_list("pk", flat=True)[:1_000])
    for row in HourlyCount.objects.filter(source__in=sources, hour=hour).order_by("source", "outcome"):
        rejected.add_metric([str(row.source_id), row.outcome.lower()], row.count)
    return rejected


def _alerts() -> Metric:
    alerts = GaugeMetricFamily(
        "insightarc_connection_alerts", "Open alerts about connections to Insightarc and shops.", labels=["kind"]
    )
    for kind, count in webhooks.open_alerts().items():
        alerts.add_metric([kind.lower()], count)
    return alerts


def _oldest(waiting: QuerySet[Any], now: datetime) -> float:
    due_at = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    return max((now - due_at).total_seconds(), 0) if due_at else 0


@contextmanager
def _short_statements() -> Iterator[None]:
    """A scrape must not add to the load of a database that is slow already."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS:d}")
        yield
