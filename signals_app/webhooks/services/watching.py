"""Watching the connections: what is wrong with each, judged from what came and what did not."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from signals_app.projects.models import Project
from signals_app.webhooks import silence
from signals_app.webhooks.constants import AlertKind, InboxState, ProbeOutcome, RejectionReason
from signals_app.webhooks.models import AddressProbe, ConnectionAlert, InboxItem, SignatureFailure, WebhookSource
from signals_app.webhooks.services import alerts
from signals_app.webhooks.services.alerts import Finding
from signals_app.webhooks.services.arrivals import hourly_arrivals, last_arrival

FAILURES = 3
FAILURES_COUNTED = 100
TOLD_AFTER = timedelta(minutes=4)
"""After the first refused request; connections are looked at every minute, so the team knows within five."""
WITHOUT_SUCCESS = timedelta(minutes=15)
"""Where refused requests came beside accepted ones before: somebody else's, and no success for minutes may be usual."""
FAILURES_LAST = timedelta(hours=24)
"""Refused requests are an alert as long as there were some in this time."""
INBOX_LIMIT = timedelta(seconds=120)
OVERDUE_LOOKED_AT = 500
FIXING_COUNTED = 99
PROBES_FAILED = 2
WARN_DAYS, URGENT_DAYS = 14, 3

Found = dict[AlertKind, Finding]


def watch(*, now: datetime) -> None:
    """
    Look at every connection, and open and resolve alerts accordingly.

    A paused connection is left alone, and so is one that nothing has come to yet.
    """
    overdue = _overdue(InboxItem.objects.all(), now)
    for source in WebhookSource.objects.select_related("project"):
        if source.is_paused:
            alerts.close_quietly(source=source, now=now)
        else:
            alerts.settle(source=source, findings=_look(source, overdue, now), now=now)


def _look(source: WebhookSource, overdue: dict[UUID, datetime], now: datetime) -> Found:
    last_at = last_arrival(source)
    open_rows = {row.kind: row for row in ConnectionAlert.objects.filter(source=source, resolved_at=None)}
    if source.shop_id is not None:
        # A small shop is silent for days; what it lost the nightly comparison finds.
        own = {
            AlertKind.INBOX: _inbox(source, overdue, open_rows.get(AlertKind.INBOX)),
            AlertKind.NEEDS_FIXING: _needs_fixing(source),
        }
        return {kind: finding for kind, finding in own.items() if finding is not None}
    findings = {
        AlertKind.SILENT: _silence(source, last_at, open_rows.get(AlertKind.SILENT), now),
        AlertKind.BAD_SIGNATURES: _bad_signatures(source, last_at, now),
        AlertKind.ADDRESS: _address(source, last_at),
        AlertKind.CERTIFICATE: _certificate(source, now),
        AlertKind.INBOX: _inbox(source, overdue, open_rows.get(AlertKind.INBOX)),
        AlertKind.NEEDS_FIXING: _needs_fixing(source),
    }
    return {kind: finding for kind, finding in findings.items() if finding is not None}


def _silence(
    source: WebhookSource, last_at: datetime | None, open_row: ConnectionAlert | None, now: datetime
) -> Finding | None:
    if last_at is None or now - last_at < silence.SHORTEST or source.project.is_demo:
        return None
    if open_row is not None:
        # Only a signal ends it: with time, nothing becomes the usual.
        return Finding(open_row.detail) if last_at < open_row.opened_at else None
    zone = ZoneInfo(source.project.time_zone)
    found = silence.judge(hourly_arrivals(source, now=now), last_at=last_at, now=now, zone=zone)
    if not found.is_improbable:
        return None
    return Finding(f"No signal since {clock_time(last_at, now=now, zone=zone)}. {_usual(found)}")


def _usual(found: silence.Silence) -> str:
    if found.chance is None:
        return "That is more than a day. Is the webhook still active at Insightarc?"
    if found.usual_an_hour >= 2:
        return f"At this hour {found.usual_an_hour:,.0f} an hour are usual."
    return f"In that time about {max(2.0, found.expected):,.0f} are usual."


def _bad_signatures(source: WebhookSource, last_at: datetime | None, now: datetime) -> Finding | None:
    failures = SignatureFailure.objects.filter(
        source=source, reason=RejectionReason.BAD_SIGNATURE, received_at__gt=now - FAILURES_LAST, received_at__lte=now
    )
    since_success = failures.filter(received_at__gt=last_at) if last_at is not None else failures
    times = list(since_success.order_by("-received_at").values_list("received_at", flat=True)[:FAILURES_COUNTED])
    if len(times) < FAILURES or now - times[-1] < TOLD_AFTER:
        return None
    if last_at is not None and now - last_at < WITHOUT_SUCCESS and failures.filter(received_at__lte=last_at).exists():
        return None
    zone = ZoneInfo(source.project.time_zone)
    since = clock_time(last_at or times[-1], now=now, zone=zone)
    return Finding(
        f"Since {since} requests come, but their signature does not match, and none was accepted. "
        "Was the secret or the address changed at Insightarc?"
    )


def _probes(source: WebhookSource) -> list[AddressProbe]:
    rows = AddressProbe.objects.filter(source=source).order_by("pk")
    return [row for row in rows if row.url in source.registered_urls]


def _address(source: WebhookSource, last_at: datetime | None) -> Finding | None:
    return next(
        (
            Finding(f"{_host(row.url)} would be refused by Insightarc. {row.problem}")
            for row in _probes(source)
            if is_address_failing(row, last_at)
        ),
        None,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


def is_address_failing(row: AddressProbe, last_at: datetime | None) -> bool:
    """
    Say whether Insightarc would be refused at an address.

    No answer at all may be our own network's doing: many cannot reach their public address from inside. It counts only
    where we have had an answer before, and while nothing comes in.
    """
    if row.failure_count < PROBES_FAILED or row.failing_since is None:
        return False
    if row.outcome != ProbeOutcome.NO_ANSWER:
        return True
    return row.answered_at is not None and (last_at is None or last_at < row.failing_since)


def _certificate(source: WebhookSource, now: datetime) -> Finding | None:
    ends = [(row.certificate_expires_at, row.url) for row in _probes(source) if row.certificate_expires_at]
    if not ends:
        return None
    expires_at, url = min(ends)
    left = expires_at - now
    if left > timedelta(days=WARN_DAYS):
        return None
    # The day and no count of days: a sentence that changes every day would look like news.
    date = f"{expires_at.astimezone(ZoneInfo(source.project.time_zone)):%-d %B %Y, %H:%M}"
    ended = "ended on" if left <= timedelta() else "ends on"
    return Finding(
        f"The certificate of {_host(url)} {ended} {date}. Without a valid one Insightarc delivers nothing.",
        is_urgent=left <= timedelta(days=URGENT_DAYS),
    )


def _overdue(items: QuerySet[InboxItem], now: datetime) -> dict[UUID, datetime]:
    """Return the sources whose signals wait for too long, each with the time of its oldest."""
    waiting = items.filter(state=InboxState.PENDING, due_at__lte=now - INBOX_LIMIT, source__is_paused=False).order_by(
        "due_at"
    )
    oldest: dict[UUID, datetime] = {}
    for source_id, due_at in waiting.values_list("source", "due_at")[:OVERDUE_LOOKED_AT]:
        oldest.setdefault(source_id, due_at)
    return oldest


def _inbox(source: WebhookSource, overdue: dict[UUID, datetime], open_row: ConnectionAlert | None) -> Finding | None:
    if open_row is not None:
        # Of a large backlog only the oldest are looked at, so it is over when nobody's signals wait.
        return Finding(open_row.detail) if overdue else None
    if source.pk not in overdue:
        return None
    return Finding(waiting_sentence(overdue[source.pk], zone=ZoneInfo(source.project.time_zone)))


def waiting_sentence(since: datetime, *, zone: ZoneInfo) -> str:
    time = clock_time(since, now=since, zone=zone)
    return f"Signals wait to be processed since {time}. They are kept; are the workers running?"


def oldest_waiting(*, project: Project | None = None, now: datetime) -> datetime | None:
    """
    Return since when the signal has waited that has waited longest, of a store or of all, if that is too long.

    It is asked when a page is shown too: without workers nobody would open an alert.
    """
    items = InboxItem.objects.filter(source__project=project) if project else InboxItem.objects.all()
    return min(_overdue(items, now).values(), default=None)


def _needs_fixing(source: WebhookSource) -> Finding | None:
    items = InboxItem.objects.filter(source=source, state=InboxState.QUARANTINED)
    count = items.order_by()[: FIXING_COUNTED + 1].count()
    if not count:
        return None
    many = f"{count:,}" if count <= FIXING_COUNTED else f"More than {FIXING_COUNTED}"
    return Finding(
        f"{many} incoming {'signal needs' if count == 1 else 'signals need'} fixing: see Needs fixing.", is_urgent=False
    )


def clock_time(moment: datetime, *, now: datetime, zone: ZoneInfo) -> str:
    """Return a time as a person of the store says it: 14:05, Monday 14:05, or 3 May, 14:05."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%A %H:%M}" if today - local < timedelta(days=6) else f"{local:%-d %B, %H:%M}"
