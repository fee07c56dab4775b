"""
From raw bytes to signals, profiles and planned mails: one transaction a batch.

Note [Poison]

A delivery that makes a batch fail must neither hold the others nor be tried for ever. A batch that raises is halved
until the one that raises is alone; that one waits and is tried again, five times in all, then needs a person. A
delivery that takes the whole worker down cannot be caught like this: its attempt was counted when it was claimed, and
whatever has an attempt behind it is claimed alone, so that it takes nothing else down with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction

from signals_app.core import claims
from signals_app.core.exceptions import TransientError
from signals_app.customers import services as customers
from signals_app.customers.models import Identifier
from signals_app.facts import services as facts
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project
from signals_app.remarketing import services as remarketing
from signals_app.shopper_signals import services as shopper_signals
from signals_app.webhooks import mapping, payload
from signals_app.webhooks.constants import MAX_ATTEMPTS, InboxState
from signals_app.webhooks.exceptions import InvalidConfiguration, MalformedDelivery
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
SUSPECTS_AT_A_TIME = 10
TRANSACTION_TRIES = 3
"""A deadlock or serialization failure chooses one of two transactions as the victim; the victim tries again."""
SIGNALS_A_TRANSACTION = {"sqlite": 20}
"""SQLite has one writer at a time, and webhook requests wait behind it: a transaction stays below 50 ms."""


@dataclass(slots=True)
class BatchReport:
    """What one call did; `claimed` of 0 means that nothing was due."""

    claimed: int = 0
    processed: int = 0
    quarantined: int = 0
    failed: int = 0
    """To be tried again."""
    planned: int = 0
    """Matches of automations that now wait."""
    next_due_at: datetime | None = None
    """When the first of them is due."""

    def add_planned(self, count: int, next_due_at: datetime | None) -> None:
        self.planned += count
        if next_due_at is not None:
            self.next_due_at = min(next_due_at, self.next_due_at or next_due_at)


@dataclass(frozen=True, slots=True)
class Reading:
    """An inbox item that could be read, and the identity that it carries."""

    item: InboxItem
    parsed: payload.ParsedSignal
    identifiers: dict[str, str]
    occurred_at: datetime | None
    issues: list[dict[str, str]]


def process_batch(*, now: datetime, limit: int = 200) -> BatchReport:
    """
    Process up to `limit` waiting deliveries, oldest first, and up to 10 that failed before.

    Safe to run any number of times and in any number of workers at once: a delivery is under one worker's lease, and
    what it becomes has its id.
    """
    report = BatchReport()
    for claim in _claims(now=now, limit=limit):
        report.claimed += len(claim.pks)
        for batch in _batches(_read_all(claim, report)):
            _record_or_split(batch, now=now, report=report)
    return report


def _claims(*, now: datetime, limit: int) -> Iterator[claims.Claim]:
    waiting = InboxItem.objects.filter(state=InboxState.PENDING, due_at__lte=now).order_by("due_at", "pk")
    for _ in range(SUSPECTS_AT_A_TIME):
        suspect = claims.claim(waiting.filter(attempts__gte=1), now=now, lease=LEASE, limit=1)
        if not suspect.pks:
            break
        yield suspect
    fresh = claims.claim(waiting.filter(attempts=0), now=now, lease=LEASE, limit=limit)
    if fresh.pks:
        yield fresh


def _read_all(claim: claims.Claim, report: BatchReport) -> list[Reading]:
    items = InboxItem.objects.filter(pk__in=claim.pks, lease_token=claim.token)
    readings = []
    for item in items.select_related("delivery", "source__project").order_by("delivery__received_at", "pk"):
        if item.attempts > MAX_ATTEMPTS:
            _quarantine(item, "Given up: the worker ended during each attempt.", report)
            continue
        try:
            readings.append(_read(item))
        except MalformedDelivery as error:
            _quarantine(item, str(error), report)
    return readings


def _read(item: InboxItem) -> Reading:
    parsed = payload.parse(bytes(item.delivery.body))
    issues = list(parsed.issues)
    body = parsed.extra | {"relevant_events": parsed.relevant_events}
    found = mapping.extract(_mapping_of(item.source, issues), body, parsed.relevant_events)
    return Reading(item, parsed, found.identifiers, found.occurred_at, issues + found.issues)


def _mapping_of(source: WebhookSource, issues: list[dict[str, str]]) -> mapping.IdentityMapping:
    try:
        return mapping.compile_mapping(source.identity_mapping)
    except InvalidConfiguration as error:
        issues.append({"field": error.field, "problem": "cannot be used, so the defaults are: " + error.message})
        return mapping.compile_mapping({})


def _batches(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    """Split into what one transaction takes: signals of one store, in order, and not too many."""
    size = SIGNALS_A_TRANSACTION.get(connection.vendor, len(readings))
    of_project: dict[UUID, list[Reading]] = {}
    for reading in readings:
        of_project.setdefault(reading.item.source.project_id, []).append(reading)
    for group in of_project.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _record_or_split(batch: Sequence[Reading], *, now: datetime, report: BatchReport) -> None:
    try:
        _record_with_tries(batch, now=now, report=report)
    except Exception as error:  # noqa: BLE001 - see Note [Poison]: whatever it is, it may hold only the one that causes it
        if len(batch) == 1:
            _put_back(batch[0].item, error, now=now, report=report)
            return
        middle = len(batch) // 2
        _record_or_split(batch[:middle], now=now, report=report)
        _record_or_split(batch[middle:], now=now, report=report)


def _record_with_tries(batch: Sequence[Reading], *, now: datetime, report: BatchReport) -> None:
    for tries_left in reversed(range(TRANSACTION_TRIES)):
        try:
            return _record(batch, now=now, report=report)
        except (OperationalError, TransientError):
            if not tries_left:
                raise


def _record(batch: Sequence[Reading], *, now: datetime, report: BatchReport) -> None:
    """Make signals of a batch of one store, with all that follows from them, and take it off the inbox; or nothing."""
    project = batch[0].item.source.project
    with transaction.atomic():
        readings = _still_ours(batch)
        identifiers = customers.resolve(
            project=project,
            sightings=[
                customers.Sighting(
                    reference=str(reading.item.pk),
                    identifiers=reading.identifiers,
                    seen_at=reading.item.delivery.received_at,
                )
                for reading in readings
            ],
            now=now,
        )
        signals = [_signal(reading, identifier=identifiers.get(str(reading.item.pk))) for reading in readings]
        recorded = shopper_signals.record_signals(project=project, signals=signals, now=now)
        planned = remarketing.plan_matches(project=project, recorded=recorded, now=now)
        _note_facts(project, recorded)
        InboxItem.objects.filter(pk__in=[reading.item.pk for reading in readings]).delete()
        _forget_the_erased(readings, identifiers)
    report.processed += len(readings)
    report.add_planned(planned.count, planned.next_due_at)


def _still_ours(batch: Sequence[Reading]) -> list[Reading]:
    """Lock the items whose lease we still hold; those whose lease ran out are another worker's."""
    held = InboxItem.objects.select_for_update(no_key=True).filter(
        pk__in=[reading.item.pk for reading in batch], lease_token=batch[0].item.lease_token
    )
    ours = set(held.values_list("pk", flat=True))
    return [reading for reading in batch if reading.item.pk in ours]


def _is_erased(reading: Reading, identifier: Identifier | None) -> bool:
    """Tell whether a signal names only people who asked to be erased: nothing else makes an identity unknown."""
    return bool(reading.identifiers) and identifier is None


def _signal(reading: Reading, *, identifier: Identifier | None) -> shopper_signals.NewSignal:
    parsed, is_erased = reading.parsed, _is_erased(reading, identifier)
    return shopper_signals.NewSignal(
        id=reading.item.pk,
        received_at=reading.item.delivery.received_at,
        identifier=identifier,
        drop_proba=parsed.drop_proba,
        performance=parsed.performance,
        num_events=parsed.num_events,
        num_loops=parsed.num_loops,
        num_broken_buttons=parsed.num_broken_buttons,
        avg_loops=parsed.avg_loops,
        avg_broken_buttons=parsed.avg_broken_buttons,
        # Addresses and unknown keys may name the person, so of somebody erased only the numbers are kept.
        relevant_events=[] if is_erased else parsed.relevant_events,
        occurred_at=reading.occurred_at,
        extra={} if is_erased else parsed.extra,
        issues=[{"field": "", "problem": "names a person who was erased"}] if is_erased else reading.issues,
    )


def _forget_the_erased(readings: Sequence[Reading], identifiers: dict[str, Identifier]) -> None:
    erased = [reading.item.pk for reading in readings if _is_erased(reading, identifiers.get(str(reading.item.pk)))]
    if erased:
        WebhookDelivery.objects.filter(pk__in=erased).delete()


def _note_facts(project: Project, recorded: Sequence[shopper_signals.RecordedSignal]) -> None:
    if not recorded:
        return
    facts.record(project=project, kind=FactKind.SIGNAL_RECORDED, subject_ids=[str(new.signal.pk) for new in recorded])
    if changed := sorted({str(new.customer_id) for new in recorded if new.customer_id}):
        facts.record(project=project, kind=FactKind.PROFILE_CHANGED, subject_ids=changed)


def _put_back(item: InboxItem, error: Exception, *, now: datetime, report: BatchReport) -> None:
    logger.error("A delivery could not be processed.", exc_info=error, extra={"delivery_id": str(item.pk)})
    if item.attempts >= MAX_ATTEMPTS:
        _quarantine(item, _described(error), report)
        return
    InboxItem.objects.filter(pk=item.pk, lease_token=item.lease_token).update(
        lease_token=None,
        lease_until=None,
        due_at=now + timedelta(seconds=5 * 3 ** (item.attempts - 1)),  # 5, 15, 45, 135 s
        error=_described(error),
    )
    report.failed += 1


def _quarantine(item: InboxItem, problem: str, report: BatchReport) -> None:
    logger.warning("A delivery needs fixing.", extra={"delivery_id": str(item.pk)})
    report.quarantined += InboxItem.objects.filter(pk=item.pk, lease_token=item.lease_token).update(
        state=InboxState.QUARANTINED, lease_token=None, lease_until=None, error=problem[:500]
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
