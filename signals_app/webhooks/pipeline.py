"""
From raw bytes to signals, profiles and planned mails: one transaction a batch.

Note [Poison]

A delivery that makes a batch fail must neither hold the others nor be tried for ever. A batch that raises is halved
until the one that raises is alone; that one waits and is tried again, five times in all, then needs a person. A
delivery that takes the whole worker down cannot be caught like this: its attempt was counted when it was claimed, and
what has failed once is claimed with fewer others, what has failed twice alone, so that it takes nothing else down.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, starmap
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction

from signals_app.core import bulk, claims
from signals_app.core.exceptions import PermanentError, TransientError
from signals_app.customers import services as customers
from signals_app.customers.models import Customer, Identifier
from signals_app.facts import services as facts
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project
from signals_app.remarketing import services as remarketing
from signals_app.shopper_signals import services as shopper_signals
from signals_app.shops.models import ShopConnection
from signals_app.webhooks import mapping, payload, shop_items
from signals_app.webhooks.constants import MAX_ATTEMPTS, InboxState
from signals_app.webhooks.exceptions import MalformedDelivery
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource
from signals_app.webhooks.pace import Pace

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
FAILED_ONCE_AT_A_TIME = 100
"""After a kill or a restart of the database all that a worker had claimed has failed once."""
SUSPECTS_AT_A_TIME = 10
LOOK_FOR_SUSPECTS_EVERY = 20
_full_claims = count(1)
CLAIMED_AT_ONCE = 200
TRANSACTION_TRIES = 3
"""A deadlock or serialization failure chooses one of two transactions as the victim; the victim tries again."""


_paces = {"sqlite": Pace(aim_seconds=0.03, least=20, most=200)}
"""SQLite has one writer at a time, and webhook requests wait behind it: a transaction stays below 50 ms."""
_other_pace = Pace(aim_seconds=0.4, least=500, most=1_000)
"""Elsewhere a larger batch shares more of what each statement costs, but two of them have more shoppers in common."""


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


class Item(NamedTuple):
    """A claimed inbox item with what came."""

    id: UUID
    attempts: int
    source_id: UUID
    received_at: datetime
    body: bytes


@dataclass(slots=True)
class Reading:
    """An inbox item that could be read, and the identity that it carries."""

    item: Item
    parsed: payload.ParsedSignal
    identifiers: dict[str, str]
    occurred_at: datetime | None
    issues: list[dict[str, str]]
    identifier: Identifier | None = None
    """The strongest, when resolved; None of nobody and of the erased."""

    @property
    def is_erased(self) -> bool:
        """Tell whether a resolved signal names only people who asked to be erased: nothing else makes an identity unknown."""
        return bool(self.identifiers) and self.identifier is None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction takes: readings of one store, in order, claimed together."""

    project: Project
    token: UUID
    readings: Sequence[Reading]

    def parts(self, size: int) -> Iterator[Batch]:
        """Split it into batches of at most `size`."""
        for start in range(0, len(self.readings), size):
            yield replace(self, readings=self.readings[start : start + size])


def process_batch(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> BatchReport:
    """
    Process up to `limit` waiting deliveries (more where one transaction takes more), oldest first, and up to 10 that
    failed before.

    Safe to run any number of times and in any number of workers at once: a delivery is under one worker's lease, and
    what it becomes has its id.
    """
    pace = _paces.get(connection.vendor, _other_pace)
    report = BatchReport()
    for claim in _claims(now=now, limit=max(limit, pace.size)):
        report.claimed += len(claim.pks)
        for of_store in _read_all(claim, report, now=now):
            for batch in of_store.parts(pace.size):
                begun = time.monotonic()
                _record_or_split(batch, now=now, report=report)
                pace.note(count=len(batch.readings), seconds=time.monotonic() - begun)
    return report


def _claims(*, now: datetime, limit: int) -> Iterator[claims.Claim]:
    """Claim what never failed, all at once, and then what did (Note [Poison])."""
    waiting = InboxItem.objects.filter(state=InboxState.PENDING, due_at__lte=now).order_by("due_at", "pk")
    fresh = claims.claim(waiting.filter(attempts=0), now=now, lease=LEASE, limit=limit)
    if fresh.pks:
        yield fresh
    # Finding those that failed means reading all that waits, so while much does it is done now and then.
    if len(fresh.pks) == limit and next(_full_claims) % LOOK_FOR_SUSPECTS_EVERY:
        return
    once = claims.claim(waiting.filter(attempts=1), now=now, lease=LEASE, limit=FAILED_ONCE_AT_A_TIME)
    if once.pks:
        yield once
    for _ in range(SUSPECTS_AT_A_TIME):
        suspect = claims.claim(waiting.filter(attempts__gte=2), now=now, lease=LEASE, limit=1)
        if not suspect.pks:
            break
        yield suspect


def _read_all(claim: claims.Claim, report: BatchReport, *, now: datetime) -> list[Batch]:
    items = _claimed_items(claim, report)
    sources = WebhookSource.objects.select_related("project").in_bulk({item.source_id for item in items})
    if shops := {source.id: source for source in sources.values() if source.shop_id is not None}:
        _apply_from_shops([item for item in items if item.source_id in shops], shops, claim.token, report, now=now)
        items = [item for item in items if item.source_id not in shops]
    readers = {source_id: _Reader(source) for source_id, source in sources.items()}
    of_project: dict[Project, list[Reading]] = {}
    for item in items:
        try:
            reading = readers[item.source_id].read(item)
        except MalformedDelivery as error:
            _quarantine(item, claim.token, str(error), report)
            continue
        of_project.setdefault(sources[item.source_id].project, []).append(reading)
    return [Batch(project, claim.token, readings) for project, readings in of_project.items()]


def _claimed_items(claim: claims.Claim, report: BatchReport) -> list[Item]:
    """Return what is claimed, in the order in which it came; what has ended the worker each time needs a person."""
    columns = ("pk", "attempts", "source_id", "delivery__received_at", "delivery__body")
    claimed = InboxItem.objects.filter(pk__any_of=claim.pks, lease_token=claim.token)
    items = sorted(starmap(Item, bulk.read_rows(claimed.values_list(*columns))), key=attrgetter("received_at", "id"))
    for item in items:
        if item.attempts > MAX_ATTEMPTS:
            _quarantine(item, claim.token, "Given up: the worker ended during each attempt.", report)
    return [item for item in items if item.attempts <= MAX_ATTEMPTS]


def _apply_from_shops(
    items: Sequence[Item],
    sources: Mapping[UUID, WebhookSource],
    token: UUID,
    report: BatchReport,
    *,
    now: datetime,
) -> None:
    """Do what shops' webhooks say, one by one; what says nothing that can be used needs a person at once."""
    shops = ShopConnection.objects.select_related("project").in_bulk([source.shop_id for source in sources.values()])
    for item in items:
        try:
            shop = shops[sources[item.source_id].shop_id]
            report.processed += shop_items.apply(
                delivery_id=item.id,
                body=bytes(item.body),
                received_at=item.received_at,
                shop=shop,
                token=token,
                now=now,
            )
        except PermanentError as error:
            _quarantine(item, token, f"Cannot be used: {error}", report)
        except Exception as error:
            if not connection.is_usable():
                raise
            _put_back(item, token, error, now=now, report=report)


class _Reader:
    """Reads what came by one source."""

    def __init__(self, source: WebhookSource) -> None:
        self.mapping, self.issues = mapping.compile_or_default(source.identity_mapping)

    def read(self, item: Item) -> Reading:
        parsed = payload.parse(bytes(item.body))
        found = mapping.extract(self.mapping, parsed.extra, parsed.relevant_events)
        issues = [*parsed.issues, *self.issues, *found.issues]
        return Reading(item, parsed, found.identifiers, found.occurred_at, issues)


def _record_or_split(batch: Batch, *, now: datetime, report: BatchReport) -> None:
    try:
        _record_with_tries(batch, now=now, report=report)
    except Exception as error:
        if not connection.is_usable():
            raise  # the database is gone, which is nobody's fault: what is claimed comes back when its lease ends
        if len(batch.readings) == 1:
            _put_back(batch.readings[0].item, batch.token, error, now=now, report=report)
            return
        for half in batch.parts((len(batch.readings) + 1) // 2):
            _record_or_split(half, now=now, report=report)


def _record_with_tries(batch: Batch, *, now: datetime, report: BatchReport) -> None:
    for tries_left in reversed(range(TRANSACTION_TRIES)):
        try:
            return _record(batch, now=now, report=report)
        except (OperationalError, TransientError):
            if not tries_left or not connection.is_usable():
                raise


def _record(batch: Batch, *, now: datetime, report: BatchReport) -> None:
    """Make signals of a batch, with all that follows from them, and take it off the inbox; or nothing."""
    project = batch.project
    with transaction.atomic():
        readings = _still_ours(batch)
        locked = _resolve(project, readings, now)
        recorded = shopper_signals.record_signals(
            project=project, signals=[_signal(reading) for reading in readings], locked=locked, now=now
        )
        planned = remarketing.plan_matches(project=project, recorded=recorded, locked=locked, now=now)
        _note_facts(project, recorded)
        InboxItem.objects.filter(pk__any_of=[reading.item.id for reading in readings]).delete()
        _forget_the_erased(readings)
    report.processed += len(readings)
    report.add_planned(planned.count, planned.next_due_at)


def _still_ours(batch: Batch) -> Sequence[Reading]:
    """Lock the items whose lease we still hold; those whose lease ran out are another worker's."""
    held = InboxItem.objects.select_for_update(no_key=True).filter(
        pk__any_of=[reading.item.id for reading in batch.readings], lease_token=batch.token
    )
    ours = {pk for (pk,) in bulk.read_rows(held.values_list("pk"))}
    return [reading for reading in batch.readings if reading.item.id in ours]


def _resolve(project: Project, readings: Sequence[Reading], now: datetime) -> dict[UUID, Customer]:
    """Say whose each signal is, and return their customers, which are locked from now on."""
    sightings = [
        customers.Sighting(reading.item.id.hex, reading.identifiers, seen_at=reading.item.received_at)
        for reading in readings
    ]
    found = customers.resolve(project=project, sightings=sightings, now=now)
    for reading in readings:
        reading.identifier = found.get(reading.item.id.hex)
    return {identifier.customer_id: identifier.customer for identifier in found.values()}


def _signal(reading: Reading) -> shopper_signals.NewSignal:
    parsed, is_erased = reading.parsed, reading.is_erased
    return shopper_signals.NewSignal(
        id=reading.item.id,
        received_at=reading.item.received_at,
        identifier=reading.identifier,
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


def _forget_the_erased(readings: Sequence[Reading]) -> None:
    erased = [reading.item.id for reading in readings if reading.is_erased]
    if erased:
        WebhookDelivery.objects.filter(pk__in=erased).delete()


def _note_facts(project: Project, recorded: Sequence[shopper_signals.RecordedSignal]) -> None:
    if not recorded:
        return
    facts.record(project=project, kind=FactKind.SIGNAL_RECORDED, subject_ids=[str(new.signal.id) for new in recorded])
    if changed := sorted({str(new.customer_id) for new in recorded if new.customer_id}):
        facts.record(project=project, kind=FactKind.PROFILE_CHANGED, subject_ids=changed)


def _put_back(item: Item, token: UUID, error: Exception, *, now: datetime, report: BatchReport) -> None:
    logger.error("A delivery could not be processed.", exc_info=error, extra={"delivery_id": str(item.id)})
    if item.attempts >= MAX_ATTEMPTS:
        _quarantine(item, token, _described(error), report)
        return
    InboxItem.objects.filter(pk=item.id, lease_token=token).update(
        lease_token=None,
        lease_until=None,
        due_at=now + timedelta(seconds=5 * 3 ** (item.attempts - 1)),  # 5, 15, 45, 135 s
        error=_described(error),
    )
    report.failed += 1


def _quarantine(item: Item, token: UUID, problem: str, report: BatchReport) -> None:
    logger.warning("A delivery needs fixing.", extra={"delivery_id": str(item.id)})
    report.quarantined += InboxItem.objects.filter(pk=item.id, lease_token=token).update(
        state=InboxState.QUARANTINED, lease_token=None, lease_until=None, error=problem[:500]
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
