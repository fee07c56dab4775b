"""
Replays of many deliveries: started by a person, carried out by the workers in slices.

Note [Live signals first]

What is replayed is processed in the same inbox as what comes in now, oldest wake-up first. A replay of a million
deliveries handed over at once would keep the signals of this minute waiting behind it. So a slice is handed over only
while little is waiting: a signal that comes in meanwhile has at most `IN_HAND` and one slice in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet

from signals_app.core import claims
from signals_app.projects.models import Project
from signals_app.webhooks.constants import InboxState, Problem, ReplayScope, ReplayState
from signals_app.webhooks.models import InboxItem, ReplayRun, WebhookDelivery, WebhookSource
from signals_app.webhooks.problems import error_is
from signals_app.webhooks.services.replaying import in_slices, replay_slice

COUNTED_TO = 10_000
"""A preview counts no further; a person only wants to know whether it is a few or very many."""
IN_HAND = 1_000
"""See Note [Live signals first]."""
A_SLICE = {"sqlite": 100}
"""SQLite has one writer at a time, and webhook requests wait behind it: a transaction stays below 50 ms."""
A_SLICE_ELSEWHERE = 500
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries of a source a replay is about."""

    scope: ReplayScope
    received_until: datetime
    received_from: datetime | None = None
    problem: Problem | None = None
    error_text: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call did; `is_waiting` when there is more to hand over, but too much in hand already."""

    handed_over: int = 0
    is_waiting: bool = False


def count_selected(*, source: WebhookSource, selection: Selection) -> int:
    """Count the deliveries that a replay would be about, to 10,001: more is simply more than 10,000."""
    if selection.scope == ReplayScope.EVERYTHING:
        return _everything(source, selection)[: COUNTED_TO + 1].count()
    return _needs_fixing(source, selection)[: COUNTED_TO + 1].count()


def _everything(source: WebhookSource, selection: Selection) -> QuerySet[WebhookDelivery]:
    """Select whatever came between two times, except what was set aside."""
    found = WebhookDelivery.objects.filter(source=source, received_at__lt=selection.received_until)
    if selection.received_from is not None:
        found = found.filter(received_at__gte=selection.received_from)
    aside = InboxItem.objects.filter(source=source, state=InboxState.SET_ASIDE)
    return found.exclude(pk__in=aside.values("pk"))


def _needs_fixing(source: WebhookSource, selection: Selection) -> QuerySet[InboxItem]:
    """Select from the inbox, which is small: to look for the few in the log would be to read all of the log."""
    found = InboxItem.objects.filter(
        source=source, state=InboxState.QUARANTINED, delivery__received_at__lt=selection.received_until
    )
    if selection.received_from is not None:
        found = found.filter(delivery__received_at__gte=selection.received_from)
    if selection.problem is not None:
        found = found.filter(error_is(selection.problem))
    if selection.error_text:
        found = found.filter(error__icontains=selection.error_text)
    return found


def start_replays(
    *, project: Project, selection: Selection, source: WebhookSource | None = None, started_by: str, now: datetime
) -> list[ReplayRun]:
    """Start a replay for each source of a store, or for one of them, that has something to replay."""
    sources = WebhookSource.objects.filter(project=project)
    until = min(selection.received_until, now)
    bounded = replace(selection, received_until=until)
    runs = []
    for each in sources.filter(pk=source.pk) if source else sources.order_by("created_at", "pk"):
        if expected := count_selected(source=each, selection=bounded):
            runs.append(
                ReplayRun(
                    source=each,
                    scope=bounded.scope,
                    problem=bounded.problem or "",
                    error_text=bounded.error_text,
                    received_from=bounded.received_from,
                    received_until=until,
                    expected=expected,
                    started_by=started_by,
                    started_at=now,
                )
            )
    return ReplayRun.objects.bulk_create(runs)


def stop_replay(*, run: ReplayRun, now: datetime) -> bool:
    """End a replay before its end; what it has handed over already is processed."""
    running = ReplayRun.objects.filter(pk=run.pk, state=ReplayState.RUNNING)
    return running.update(state=ReplayState.STOPPED, finished_at=now, lease_token=None, lease_until=None) == 1


def continue_replay(*, now: datetime) -> Progress:
    """
    Hand over the next slice of the oldest replay that runs, if little is waiting in the inbox.

    A replay of a paused source waits with it: let go at once, it would be the flood that slices prevent.
    """
    running = ReplayRun.objects.filter(state=ReplayState.RUNNING, source__is_paused=False)
    if not running.exists():
        return Progress()
    if InboxItem.objects.filter(state=InboxState.PENDING)[:IN_HAND].count() >= IN_HAND:
        return Progress(is_waiting=True)
    claim = claims.claim(running.order_by("started_at", "pk"), now=now, lease=LEASE, limit=1)
    return _hand_over(claim.pks[0], claim.token, now) if claim.pks else Progress()


@transaction.atomic
def _hand_over(run_id: UUID, token: UUID, now: datetime) -> Progress:
    held = ReplayRun.objects.select_for_update(no_key=True, of=("self",)).select_related("source")
    run = held.filter(pk=run_id, lease_token=token).first()
    if run is None:  # stopped meanwhile, or the lease ran out
        return Progress()
    size = A_SLICE.get(connection.vendor, A_SLICE_ELSEWHERE)
    found = _next_slice(run, size)
    changes: dict[str, object] = {"attempts": 0, "lease_token": None, "lease_until": None}
    if found:
        replay_slice(delivery_ids=[pk for pk, _ in found], now=now)
        changes |= {
            "handed_over": F("handed_over") + len(found),
            "last_delivery_id": found[-1][0],
            "last_received_at": found[-1][1],
        }
    if len(found) < size:
        changes |= {"state": ReplayState.DONE, "finished_at": now}
    ReplayRun.objects.filter(pk=run.pk).update(**changes)
    return Progress(handed_over=len(found), is_waiting=False)


def _next_slice(run: ReplayRun, size: int) -> list[tuple[UUID, datetime]]:
    """Return ids and times of the next deliveries, in the order in which they came; what needs fixing in that of ids."""
    selection = _selection_of(run)
    if selection.scope == ReplayScope.NEEDS_FIXING:
        items = _needs_fixing(run.source, selection).order_by("pk")
        if run.last_delivery_id is not None:
            items = items.filter(pk__gt=run.last_delivery_id)
        return list(items.values_list("pk", "delivery__received_at")[:size])
    is_begun = run.last_received_at is not None and run.last_delivery_id is not None
    after = (run.last_received_at, run.last_delivery_id) if is_begun else None
    return next(in_slices(_everything(run.source, selection), after=after, size=size), [])  # type: ignore[arg-type]


def _selection_of(run: ReplayRun) -> Selection:
    return Selection(
        scope=ReplayScope(run.scope),
        received_from=run.received_from,
        received_until=run.received_until,
        problem=Problem(run.problem) if run.problem else None,
        error_text=run.error_text,
    )
