"""
Carrying out an import: slice by slice, each in a transaction with the place that has been read to.

Whatever happens to a worker, a slice is stored once or not at all. A slice that the database refuses as a whole is
halved until the row is found that it refuses, so that one row costs one row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.models import F, QuerySet

from signals_app.core import claims, delimited
from signals_app.core.bulk import write_rows
from signals_app.core.delimited import Record
from signals_app.core.exceptions import PermanentError, TransientError
from signals_app.transfers import kinds
from signals_app.transfers.constants import MAX_CELL, MAX_PROBLEMS_KEPT, MAX_TRIES, MOVING_STATES, ImportState
from signals_app.transfers.exceptions import ColumnsRefused, FileRefused, RowRefused, UnknownKind
from signals_app.transfers.kinds import ImportContext, ImportKind, Row, RowReader, Stored
from signals_app.transfers.models import ImportProblem, ImportRun
from signals_app.transfers.services.imports import context_of, dialect_of, meanings_of, open_upload, read_cells

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
SMALLEST, LARGEST = 50, 2_000
FIRST = 100 if connection.vendor == "sqlite" else 1_000
SECONDS_A_SLICE = 0.03 if connection.vendor == "sqlite" else 2.0
"""Aimed at. SQLite has one writer at a time, and webhook requests wait behind it."""
TRIES_OF_A_SLICE = 3


@dataclass(frozen=True)
class Progress:
    """How many rows a call read, and whether there is more to do at once."""

    rows: int = 0
    is_more: bool = False


@dataclass
class _Slice:
    """Rows of a file, and where the last of them ends."""

    rows: list[Row] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    position: int = 0
    row_number: int = 0
    read: int = 0
    is_last: bool = False


class _Lost(Exception):
    """The import was cancelled meanwhile, or another worker has it."""


def continue_import(*, now: datetime, seconds: float = 20, run_id: UUID | None = None) -> Progress:
    """
    Carry on with the oldest import that is queued or running, for about so many seconds.

    `run_id`: with this one and no other. Any number of workers may call it at the same time.
    """
    moving = ImportRun.objects.filter(state__in=MOVING_STATES)
    if run_id is not None:
        moving = moving.filter(pk=run_id)
    claim = claims.claim(moving.order_by("created_at", "pk"), now=now, lease=LEASE, limit=1)
    if not claim.pks:
        return Progress()
    run = ImportRun.objects.select_related("project").get(pk=claim.pks[0])
    try:
        if run.attempts > MAX_TRIES:
            raise FileRefused("It was broken off again and again. What happened stands in the log.")
        return _Work(run, claim.token, now).carry_on(time.monotonic() + seconds)
    except _Lost:
        return Progress(is_more=True)
    except (FileRefused, ColumnsRefused, UnknownKind) as error:
        _held(run, claim.token).update(
            state=ImportState.FAILED, problem=str(error)[:500], finished_at=now, lease_token=None, lease_until=None
        )
        return Progress(is_more=True)


def _held(run: ImportRun, token: UUID) -> QuerySet[ImportRun]:
    return ImportRun.objects.filter(pk=run.pk, lease_token=token, state__in=MOVING_STATES)


class _Work:
    """One worker's turn at one import."""

    def __init__(self, run: ImportRun, token: UUID, now: datetime) -> None:
        self.run, self.token, self.now = run, token, now
        self.kind: ImportKind = kinds.import_kind(run.kind)
        self.context: ImportContext = context_of(run, now=now)
        self.reader: RowReader = self.kind.reader(self.context, meanings_of(run))
        self.began = time.monotonic()
        self.width = 0
        self.rows_done = 0

    def carry_on(self, stop_at: float) -> Progress:
        with closing(open_upload(self.run)) as file:
            records = self._records(file)
            size = FIRST
            while True:
                began = time.monotonic()
                found = self._take(records, size)
                self._store_slice(found)
                if found.is_last:
                    return Progress(self.rows_done, is_more=True)
                if time.monotonic() >= stop_at:
                    _held(self.run, self.token).update(lease_token=None, lease_until=None)
                    return Progress(self.rows_done, is_more=True)
                size = _next_size(size, time.monotonic() - began)

    def _records(self, file: IO[bytes]) -> Iterator[Record]:
        """Return the records that are still to be read."""
        dialect = dialect_of(self.run)
        heading = next(delimited.read_records(file, dialect), None)
        if heading is None or heading.problem:
            raise FileRefused("The first line has to name the columns.")
        self.width = len(heading.cells)
        position = self.run.position or heading.end
        file.seek(position)
        return delimited.read_records(file, dialect, number=self.run.row_number or heading.number, offset=position)

    def _take(self, records: Iterator[Record], size: int) -> _Slice:
        found = _Slice(position=self.run.position, row_number=self.run.row_number)
        while found.read < size:
            record = next(records, None)
            if record is None:
                found.is_last = True
                break
            found.position, found.row_number = record.end, record.number
            if not record.problem and not any(text.strip() for text in record.cells):
                continue  # a blank line
            found.read += 1
            try:
                found.rows.append(Row(record.number, self._read(record)))
            except RowRefused as error:
                found.problems.append((record.number, error.column, error.message))
        return found

    def _read(self, record: Record) -> object:
        said = read_cells(self.run, record, self.width)
        for meaning, text in said.items():
            if len(text) > MAX_CELL:
                raise RowRefused(meaning, f"Longer than {MAX_CELL:,} characters.")
        return self.reader(said)

    def _store_slice(self, found: _Slice) -> None:
        for tries_left in reversed(range(TRIES_OF_A_SLICE)):
            try:
                with transaction.atomic():
                    stored = self._store(found)
                    self._note(found, stored)
                break
            except (OperationalError, TransientError):  # a deadlock, or shoppers who keep moving
                if not tries_left:
                    raise
                logger.warning("A slice of an import is stored again", extra={"import": str(self.run.pk)})
        self.run.position, self.run.row_number = found.position, found.row_number
        self.rows_done += found.read

    def _store(self, found: _Slice) -> Stored:
        if not found.rows:
            return Stored()
        with transaction.atomic():
            stored = _store_what_can_be(self.kind, self.context, found.rows)
            if self.run.is_check:
                transaction.set_rollback(True)
        return stored

    def _note(self, found: _Slice, stored: Stored) -> None:
        """Write down what became of a slice, and where the next one begins; :raises _Lost: if it is not ours."""
        problems = sorted([*found.problems, *stored.refused])
        failed = len({number for number, _, _ in problems})
        ended = ImportState.CHECKED if self.run.is_check else ImportState.DONE
        # The clock of the call stands still while the work goes on.
        moment = self.now + timedelta(seconds=time.monotonic() - self.began)
        end = {"finished_at": moment, "lease_token": None} if found.is_last else {}
        is_held = _held(self.run, self.token).update(
            state=ended if found.is_last else ImportState.RUNNING,
            position=found.position,
            row_number=found.row_number,
            rows_read=F("rows_read") + found.read,
            created_count=F("created_count") + stored.created,
            updated_count=F("updated_count") + stored.updated,
            unchanged_count=F("unchanged_count") + stored.unchanged,
            failed_count=F("failed_count") + failed,
            attempts=0,
            lease_until=None if found.is_last else moment + LEASE,
            **end,
        )
        if not is_held:
            raise _Lost
        if problems:
            self._keep(problems)

    def _keep(self, problems: Sequence[tuple[int, str, str]]) -> None:
        kept = ImportProblem.objects.filter(run=self.run)[:MAX_PROBLEMS_KEPT].count()
        write_rows(
            ImportProblem,
            fields=("run", "row_number", "column", "message"),
            rows=[
                (self.run.pk, number, self.kind.label_of(column)[:100] if column else "", message[:300])
                for number, column, message in problems[: MAX_PROBLEMS_KEPT - kept]
            ],
        )


def _store_what_can_be(kind: ImportKind, context: ImportContext, rows: Sequence[Row]) -> Stored:
    try:
        with transaction.atomic():
            return kind.store(context, rows)
    except (DataError, IntegrityError, PermanentError, UnicodeError, ValueError, OverflowError) as error:
        if len(rows) == 1:
            logger.warning("A row of an import was refused by the database", extra={"error": type(error).__name__})
            message = str(error) if isinstance(error, PermanentError) else "Holds something that cannot be stored."
            return Stored(refused=[(rows[0].number, "", message)])
    middle = len(rows) // 2
    stored = _store_what_can_be(kind, context, rows[:middle])
    stored.add(_store_what_can_be(kind, context, rows[middle:]))
    return stored


def _next_size(size: int, took: float) -> int:
    if took > SECONDS_A_SLICE:
        return max(SMALLEST, size // 2)
    return min(LARGEST, size * 2) if took < SECONDS_A_SLICE / 2.5 else size
