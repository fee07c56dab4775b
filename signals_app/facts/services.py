"""Recording what happened, numbering it without gaps, and reading on from where one stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from itertools import islice

from django.db import connection, transaction

from signals_app.core.bulk import change_rows
from signals_app.core.claims import claim
from signals_app.facts.constants import MAX_SUBJECTS, RETRY_DELAYS, SUBJECTS_AT_ONCE, FactKind
from signals_app.facts.models import Fact, FactReader, FailedFact
from signals_app.projects.models import Project

logger = logging.getLogger(__name__)

SEQUENCER = "sequencer"
RETRIES_A_CALL = 10
RETRY_LEASE = timedelta(minutes=10)

Handle = Callable[[Fact, list[str], datetime], None]
"""Handles a fact for some of its subjects, as of a time."""


def record(*, project: Project, kind: FactKind, subject_ids: Iterable[str]) -> list[Fact]:
    """
    Record that something happened to these subjects, in the caller's transaction; no subjects, no fact.

    More than 1,000 subjects become several facts.
    """
    subjects = iter(subject_ids)
    chunks = iter(lambda: list(islice(subjects, MAX_SUBJECTS)), [])
    return Fact.objects.bulk_create([Fact(project=project, kind=kind, subject_ids=chunk) for chunk in chunks])


@transaction.atomic
def sequence(*, limit: int = 1_000) -> int:
    """
    Give positions to facts that have none yet and return how many got one.

    One sequencer runs at a time, and it sees only what is committed: a position is given once and none is left out,
    so whoever has read up to N will never find a new fact below it.
    """
    FactReader.objects.get_or_create(name=SEQUENCER)
    counter = FactReader.objects.select_for_update(no_key=True).get(name=SEQUENCER)
    waiting = Fact.objects.filter(position=None).order_by("pk").values_list("pk", flat=True)[:limit]
    numbered = [(pk, position) for position, pk in enumerate(waiting, start=counter.position + 1)]
    if numbered:
        change_rows(Fact, key="id", fields=("position",), rows=numbered)
        counter.position += len(numbered)
        counter.save(update_fields=["position"])
    return len(numbered)


def follow(*, reader: str, kinds: Collection[FactKind], handle: Handle, now: datetime, limit: int = 100) -> int:
    """
    Have the next facts of these kinds handled, up to `limit`, and failed ones that are due; return how many were taken.

    `handle` gets up to 50 subjects of a fact at once and owns its transaction. It must change nothing more for subjects
    that it has handled before, and must not depend on the order of facts: subjects for whom it raises are handed to it
    once more, each alone, and those that fail again are kept aside and come back after a minute, then after ever longer
    delays, while the reader goes on with the next facts at once. After the last try they are given up, and stay until
    the fact goes. Safe to run at the same time in many workers.

    A database that is away is nobody's fault: that error is raised, and the reader stays where it is. A failed fact
    that was being tried meanwhile comes back when its lease ends, and none is given up for that.
    """
    place, _ = FactReader.objects.get_or_create(name=reader)
    count = _try_again(reader, handle, now)
    following = Fact.objects.filter(position__gt=place.position, kind__in=kinds).select_related("project")
    for fact in following.order_by("position")[:limit]:
        failures = _failures(fact, fact.subject_ids, handle, now)
        with transaction.atomic():
            if failures:
                _keep(reader, fact, failures, now)
            # A worker that was faster may have moved it on already.
            FactReader.objects.filter(name=reader, position__lt=fact.position).update(position=fact.position)
        count += 1
    return count


def _try_again(reader: str, handle: Handle, now: datetime) -> int:
    """Try failed facts that are due, each claimed for itself, and return how many."""
    for count in range(RETRIES_A_CALL):
        due = FailedFact.objects.filter(reader=reader, due_at__lte=now).order_by("due_at")
        claimed = claim(due, now=now, lease=RETRY_LEASE, limit=1)
        if not claimed.pks:
            return count
        ours = FailedFact.objects.filter(pk__in=claimed.pks, lease_token=claimed.token)
        for failed in ours.select_related("fact__project"):
            failures = _failures(failed.fact, failed.subject_ids, handle, now)
            if failures:
                ours.update(**_outcome(failures, failed.attempts, now), lease_token=None, lease_until=None)
            else:
                ours.delete()
    return RETRIES_A_CALL


def _keep(reader: str, fact: Fact, failures: dict[str, str], now: datetime) -> None:
    failed = FailedFact(reader=reader, fact=fact, attempts=1, **_outcome(failures, 1, now))
    # Another worker may have kept it: whom it has handled itself need not be kept.
    FailedFact.objects.bulk_create([failed], ignore_conflicts=True)


def _outcome(failures: dict[str, str], attempts: int, now: datetime) -> dict[str, object]:
    """Return what is kept of a try: for whom it failed, by what, and when the next one is due."""
    due_at = now + RETRY_DELAYS[attempts - 1] if attempts <= len(RETRY_DELAYS) else None
    return {"subject_ids": list(failures), "error": next(iter(failures.values())), "due_at": due_at}


def _failures(fact: Fact, subject_ids: list[str], handle: Handle, now: datetime) -> dict[str, str]:
    """Have subjects of a fact handled and return {subject id: class of the error} of those that could not be."""
    failures = {}
    for start in range(0, len(subject_ids), SUBJECTS_AT_ONCE):
        together = subject_ids[start : start + SUBJECTS_AT_ONCE]
        if _error_of(fact, together, handle, now) is None:
            continue
        for subject_id in together:
            error = _error_of(fact, [subject_id], handle, now)
            if error is not None:
                ids = {"fact_id": fact.pk, "subject_id": subject_id}
                logger.error("A fact could not be handled", exc_info=error, extra=ids)
                failures[subject_id] = type(error).__name__
    return failures


def _error_of(fact: Fact, subject_ids: list[str], handle: Handle, now: datetime) -> Exception | None:
    try:
        handle(fact, subject_ids, now)
    except Exception as error:
        if not connection.is_usable():
            raise
        return error
    return None
