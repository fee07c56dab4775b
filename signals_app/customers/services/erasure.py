"""
Taking everything about one person away, for good.

Note [An erasure]

The first transaction makes the person unreachable: keyed hashes keep their identifiers from being resolved again, the
identifiers lose their values, the profile its name, and `Customer.objects` no longer finds it, so that no mail is sent
and no automation decides. All that follows is cleaning up, room by room, in slices that hold no lock for long. Each
slice notes what it did in its own transaction; killed at any moment, it goes on where it was. The profile's row goes
last, so that everything that hangs on it can be found until then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat

from signals_app.core.claims import claim
from signals_app.core.pruning import SMALLEST, next_size
from signals_app.customers import facets
from signals_app.customers.constants import KINDS_BY_STRENGTH, ErasureState, IdentifierKind
from signals_app.customers.facets import ErasePart, Step, Subject
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer, ErasureReport, Identifier
from signals_app.customers.services import tombstones
from signals_app.customers.services.locks import lock_customers
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
BURIED_AT_ONCE = 200
KNOWN_IDS_KEPT = 1_000
"""Of a person with more, who is a bot or a till, the strongest are looked for where nothing ties a row to them."""
LARGEST = 500
BURYING = "Known IDs that come back"


def begin_erasure(
    *, customer: Customer, by: str = "", is_forgetting: bool = False, now: datetime
) -> ErasureReport | None:
    """
    Make a person unreachable, in one short transaction, and return the report that says what is still to do.

    Begun already, it is that one's report; None when there is no such person. `is_forgetting`: their time is over; no
    hash stays, so that they may come back any time, and what is not tied to them is not looked through.
    """
    with transaction.atomic():
        if not lock_customers([customer.pk]):
            return ErasureReport.objects.filter(profile_id=customer.pk).first()
        report = ErasureReport(project=customer.project, profile_id=customer.pk, requested_by=by[:150], begun_at=now)
        report.is_forgetting = is_forgetting
        known = _known_ids(customer)
        report.known_ids = json.dumps([[key.kind, key.value] for _, key in known[:KNOWN_IDS_KEPT]])
        report.save(force_insert=True)
        _bury(report, known[:BURIED_AT_ONCE])
        Customer.everyone.filter(pk=customer.pk).update(
            email="",
            external_id="",
            name="",
            time_zone="",
            attributes={},
            marketing_consent=None,
            has_ordered=False,
            erased_at=now,
            updated_at=now,
        )
        fact_services.record(project=customer.project, kind=FactKind.CUSTOMER_ERASED, subject_ids=[str(customer.pk)])
    return report


def continue_erasures(*, now: datetime, seconds: float = 20.0, only: UUID | None = None) -> bool:
    """
    Go on with what was begun, for about so many seconds, and say whether nothing is left.

    Any number of workers may run this at once; each erasure is one worker's at a time.
    """
    stop_at = time.monotonic() + seconds
    running = ErasureReport.objects.filter(state=ErasureState.RUNNING)
    mine = (running if only is None else running.filter(pk=only)).order_by("begun_at")
    while True:
        taken = claim(mine, now=now, lease=LEASE, limit=1)
        if not taken.pks:
            return not mine.exists()
        is_done = _Erasure(taken.pks[0], taken.token, now=now).run(stop_at=stop_at)
        if not is_done or time.monotonic() >= stop_at:
            return is_done and not mine.exists()


def erase_customer(*, customer: Customer, by: str = "", now: datetime) -> dict[str, int]:
    """
    Erase a person at once, however long it takes, and return how many rows of each facet that were.

    Keyed hashes of the identifiers stay, so that replays and imports do not bring the person back.
    """
    report = begin_erasure(customer=customer, by=by, now=now)
    if report is None or report.state == ErasureState.DONE:
        return {}
    while not continue_erasures(now=now, seconds=3_600.0, only=report.pk):
        now += LEASE  # another worker had begun with it and may have been killed
        time.sleep(0.5)
    report.refresh_from_db()
    return counts_by_facet(report)


def counts_by_facet(report: ErasureReport) -> dict[str, int]:
    """Return how many rows of each facet an erasure has handled so far."""
    counts: dict[str, int] = {facet.name: 0 for facet in reversed(facets.all())}
    for name, found in report.progress.items():
        room = name.partition(": ")[0]
        counts[room] = counts.get(room, 0) + int(found["count"])
    return counts


def addresses_being_erased(*, project: Project) -> list[str]:
    """Return the e-mail addresses of people whose erasure has begun, for what is tied to nothing but an address."""
    running = ErasureReport.objects.filter(project=project, state=ErasureState.RUNNING)
    known = [
        pair for known_ids in running.values_list("known_ids", flat=True) for pair in json.loads(known_ids or "[]")
    ]
    return sorted({value for kind, value in known if kind == IdentifierKind.EMAIL})


class _Erasure:
    """One claimed erasure."""

    def __init__(self, report_id: UUID, token: UUID, *, now: datetime) -> None:
        self.report_id, self.token, self.now = report_id, token, now

    def run(self, *, stop_at: float) -> bool:
        report = ErasureReport.objects.select_related("project").get(pk=self.report_id)
        customer = Customer.everyone.select_related("project").get(pk=report.profile_id)
        known = tuple(Key(kind, value) for kind, value in json.loads(report.known_ids or "[]"))
        subject = Subject(customer, known, report.begun_at, None if report.is_forgetting else report.pk)
        for room, part in self._all_parts(report):
            if not self._run_part(f"{room}: {part.name}", part, subject, stop_at):
                self._let_go()
                return False
        return self._finish(customer)

    def _all_parts(self, report: ErasureReport) -> Iterator[tuple[str, ErasePart]]:
        yield "customers", ErasePart(BURYING, lambda subject, place, limit: _bury_further(report, subject.customer))
        for facet in reversed(facets.all()):  # higher rooms first: their rows point at those of lower ones
            for part in facet.parts:
                if not (part.is_search and report.is_forgetting):
                    yield facet.name, part

    def _run_part(self, name: str, part: ErasePart, subject: Subject, stop_at: float) -> bool:
        size = SMALLEST
        while True:
            started = time.monotonic()
            with transaction.atomic():
                report = self._held()
                if report is None:
                    return False
                noted = report.progress.get(name, {"count": 0, "place": "", "is_done": False})
                if noted["is_done"]:
                    return True
                if started >= stop_at:
                    return False
                step = part.erase(subject, noted["place"], size)
                report.progress[name] = {
                    "count": noted["count"] + step.count, "place": step.place or "", "is_done": step.place is None
                }  # fmt: skip
                report.lease_until = self.now + LEASE
                report.save(update_fields=["progress", "lease_until"])
            took = time.monotonic() - started
            size = min(LARGEST, next_size(size, took))
            if connection.vendor == "sqlite" and step.place is not None:
                time.sleep(min(took, 0.05))  # as long for the others, who wait for the one writer

    def _held(self) -> ErasureReport | None:
        return (
            ErasureReport.objects.select_for_update(no_key=True)
            .filter(pk=self.report_id, lease_token=self.token, state=ErasureState.RUNNING)
            .first()
        )

    def _let_go(self) -> None:
        held = ErasureReport.objects.filter(pk=self.report_id, lease_token=self.token)
        held.update(lease_token=None, lease_until=None)

    @transaction.atomic
    def _finish(self, customer: Customer) -> bool:
        report = self._held()
        if report is None:
            return False
        Customer.everyone.filter(pk=customer.pk).delete()
        if report.is_forgetting:
            report.delete()
            return True
        report.state, report.finished_at, report.known_ids = ErasureState.DONE, self.now, ""
        report.lease_token, report.lease_until = None, None
        report.results = _results(report)
        report.save()
        return True


def _results(report: ErasureReport) -> list[dict[str, object]]:
    """Return what was done in words, room by room; what was nothing of is left out, what stays is not."""
    found: list[dict[str, object]] = []
    for facet in reversed(facets.all()):
        for part in facet.parts:
            count = int(report.progress.get(f"{facet.name}: {part.name}", {}).get("count", 0))
            if count:
                said = {"what": part.name, "outcome": part.outcome, "count": count, "why": part.why}
                found.append({"room": facet.label, **said})
        for kept in facet.kept:
            found.append({"room": facet.label, "what": kept.what, "outcome": "kept", "count": None, "why": kept.why})
    return found


def _known_ids(customer: Customer, *, but_of: ErasureReport | None = None) -> list[tuple[int, Key]]:
    """Return the identifiers, strongest first; without those that an erasure has made nameless already."""
    rows = Identifier.objects.filter(customer=customer)
    if but_of is not None:
        rows = rows.exclude(value__startswith=_nameless_prefix(but_of))
    found = [(pk, Key(kind, value)) for pk, kind, value in rows.values_list("pk", "kind", "value")]
    return sorted(found, key=lambda row: (KINDS_BY_STRENGTH.index(row[1].kind), row[0]))


def _bury(report: ErasureReport, known: Sequence[tuple[int, Key]]) -> None:
    """Leave hashes in the place of identifiers, and nothing by which anybody could find these."""
    keys = [key for _, key in known]
    if not report.is_forgetting:
        tombstones.bury(project=report.project, keys=keys, erasure_id=report.pk, now=report.begun_at)
    nameless = Concat(Value(_nameless_prefix(report)), Cast(F("pk"), CharField()))
    Identifier.objects.filter(pk__in=[pk for pk, _ in known]).update(value=nameless, attributes={})


def _bury_further(report: ErasureReport, customer: Customer) -> Step:
    further = _known_ids(customer, but_of=report)[:BURIED_AT_ONCE]
    _bury(report, further)
    return Step(0, "further" if further else None)


def _nameless_prefix(report: ErasureReport) -> str:
    return f"erased:{report.pk}:"
