"""An import before and after it runs: receiving the file, choosing its columns, and the rows that it could not use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import PurePath
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from signals_app.core import delimited
from signals_app.core.delimited import Dialect, EncodingDetector, Record
from signals_app.core.models import new_id
from signals_app.projects.models import Project
from signals_app.transfers import cells, kinds
from signals_app.transfers.constants import EDITABLE_STATES, MAX_COLUMNS, MOVING_STATES, ImportState
from signals_app.transfers.exceptions import ColumnsRefused, FileRefused, RowRefused
from signals_app.transfers.kinds import OTHER_PREFIX, ImportContext, ImportKind
from signals_app.transfers.models import ImportProblem, ImportRun

PREVIEWED_ROWS = 5
CHUNK = 1 << 20
PROBLEM_HEADING = "Problem"


@dataclass(frozen=True)
class Preview:
    """The heading of a file and its first rows."""

    names: list[str]
    rows: list[list[str]] = field(default_factory=list)


class _Watched:
    """A file on its way into the storage: measured, hashed and looked at, and refused when it is too large."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.hash = hashlib.sha256()
        self.encoding = EncodingDetector()
        self.beginning = b""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK):
            self.size += len(chunk)
            if self.size > settings.IMPORT_MAX_BYTES:
                raise FileRefused(f"The file is larger than {settings.IMPORT_MAX_BYTES // 1024 // 1024} MB. Split it.")
            self.hash.update(chunk)
            self.encoding.feed(chunk)
            if len(self.beginning) < delimited.PEEKED:
                self.beginning += chunk[: delimited.PEEKED - len(self.beginning)]
            yield chunk


class _Stored(File):  # type: ignore[type-arg]  # generic in the stubs only
    """What Django's storage takes; it reads nothing but the chunks."""

    def __init__(self, watched: _Watched) -> None:
        super().__init__(None, name="upload")
        self._watched = watched

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        return self._watched.chunks()


def receive_file(*, project: Project, kind: str, file: IO[bytes], name: str, by: str, now: datetime) -> ImportRun:
    """
    Store a file to be imported, streamed, and guess what its columns mean; nothing is imported yet.

    :raises FileRefused: if it is too large, empty, or no table.
    :raises UnknownKind: if nobody registered the kind.
    """
    chosen = kinds.import_kind(kind)
    # What a person calls a file may name other people, and may be no name for a file at all.
    shown = re.sub(r"[\x00-\x1f\x7f]", "", PurePath(name.replace("\\", "/")).name)[:150]
    run = ImportRun(id=new_id(), project=project, kind=kind, file_name=shown, requested_by=by[:150], created_at=now)
    name_in_storage, storage = f"imports/{run.pk}.csv", run.upload.storage
    try:
        _store(run, chosen, _Watched(file), name_in_storage)
    except BaseException as error:
        storage.delete(name_in_storage)  # a file that was refused is not kept, nor a half of one
        if isinstance(error, delimited.NotATable):
            raise FileRefused(str(error)) from error
        raise
    return run


def _store(run: ImportRun, kind: ImportKind, watched: _Watched, name: str) -> None:
    run.upload.name = run.upload.storage.save(name, _Stored(watched))
    dialect = delimited.detect_dialect(watched.beginning, encoding=watched.encoding.encoding())
    run.size, run.sha256 = watched.size, watched.hash.hexdigest()
    run.encoding, run.delimiter, run.start = dialect.encoding, dialect.delimiter, dialect.start
    run.columns = guess_columns(kind, preview(run=run, rows=0).names)
    run.options = {option.name: option.default for option in kind.options if option.default}
    run.save(force_insert=True)


def preview(*, run: ImportRun, rows: int = PREVIEWED_ROWS) -> Preview:
    """
    Return the heading of a file and its first rows.

    :raises FileRefused: if the file is gone or its first line is no heading.
    """
    with closing(open_upload(run)) as file:
        records = delimited.read_records(file, dialect_of(run), offset=run.start)
        heading = next(records, None)
        names = _checked_heading(heading)
        file_rows = (record.cells for record in records if record.cells and not record.problem)
        return Preview(names, list(islice(file_rows, rows)))


def _checked_heading(heading: Record | None) -> list[str]:
    if heading is None or heading.problem or not any(name.strip() for name in heading.cells):
        reason = heading.problem if heading and heading.problem else "It is empty."
        raise FileRefused(f"The first line has to name the columns. {reason}")
    if len(heading.cells) > MAX_COLUMNS:
        raise FileRefused(f"The file has more than {MAX_COLUMNS} columns.")
    if any("@" in name for name in heading.cells):
        raise FileRefused("The first line has to name the columns, such as “E-mail”; it seems to be a row of the list.")
    return [name.strip()[:100] for name in heading.cells]


def open_upload(run: ImportRun) -> IO[bytes]:
    """
    Open a run's file where its heading begins.

    :raises FileRefused: if it is gone.
    """
    try:
        if not run.upload:
            raise FileNotFoundError
        file: IO[bytes] = run.upload.storage.open(run.upload.name, "rb")
    except FileNotFoundError as error:
        raise FileRefused("The file is no longer there. Upload it again.") from error
    file.seek(run.start)
    return file


def dialect_of(run: ImportRun) -> Dialect:
    return Dialect(run.encoding, run.delimiter, run.start)


def guess_columns(kind: ImportKind, names: list[str]) -> list[str]:
    """Return what each column seems to mean by its heading, each meaning once; empty: nothing known."""
    guessed: list[str] = []
    for name in names:
        plain = _plain(name)
        fits = (
            column.name
            for column in kind.columns
            if plain in {_plain(column.name), _plain(column.label), *map(_plain, column.guesses)}
        )
        meaning = next(fits, "")
        guessed.append("" if meaning in guessed else meaning)
    return guessed


def _plain(heading: str) -> str:
    return re.sub(r"[\W_]+", "", heading.casefold())


def choose_columns(*, run: ImportRun, columns: list[str], options: Mapping[str, str]) -> None:
    """
    Keep what the columns of a file mean and what holds for all of its rows.

    :raises ColumnsRefused: saying which choice cannot be; nothing is kept.
    """
    kind = kinds.import_kind(run.kind)
    run.columns = [meaning[:100] for meaning in columns]
    run.options = {option.name: options.get(option.name, "").strip() for option in kind.options}
    errors = _column_errors(kind, run)
    errors |= {
        option.name: f"Longer than {option.max_length} characters."
        for option in kind.options
        if len(run.options[option.name]) > option.max_length
    }
    if not errors:
        kind.reader(context_of(run, now=timezone.now()), meanings_of(run))
    if errors:
        raise ColumnsRefused(errors)
    changed = ImportRun.objects.filter(pk=run.pk, state__in=EDITABLE_STATES)
    changed.update(columns=run.columns, options=run.options)


def _column_errors(kind: ImportKind, run: ImportRun) -> dict[str, str]:
    names = preview(run=run, rows=0).names
    chosen = [meaning for meaning in run.columns if meaning]
    known = {column.name for column in kind.columns}
    if len(run.columns) != len(names):
        return {"": f"The file has {len(names)} columns, not {len(run.columns)}."}
    for meaning in chosen:
        is_other = meaning.startswith(OTHER_PREFIX) and len(meaning) > len(OTHER_PREFIX)
        if meaning not in known and not (is_other and kind.takes_other_columns):
            return {"": f"“{meaning}” is nothing that a column of this list can be."}
        if chosen.count(meaning) > 1:
            return {"": f"Two columns cannot both be “{kind.label_of(meaning)}”."}
    for group in kind.needs_one_of:
        if not set(group) & set(chosen):
            wanted = " or ".join(f"“{kind.label_of(name)}”" for name in group)
            return {"": f"Say which column is {wanted}."}
    return {}


def meanings_of(run: ImportRun) -> frozenset[str]:
    return frozenset(meaning for meaning in run.columns if meaning)


def context_of(run: ImportRun, *, now: datetime) -> ImportContext:
    """Return what a kind is told about a run."""
    return ImportContext(
        project=run.project,
        options=run.options,
        reference=f"import:{run.pk}",
        evidence=f"import {run.pk}, file sha256:{run.sha256}",
        now=now,
    )


@transaction.atomic
def start(*, run: ImportRun, is_check: bool, now: datetime) -> bool:
    """Have an import checked or carried out by the workers; return whether it could be started."""
    ready = ImportRun.objects.filter(pk=run.pk, state__in=EDITABLE_STATES)
    if not ready.update(
        state=ImportState.QUEUED,
        is_check=is_check,
        position=0,
        row_number=0,
        rows_read=0,
        created_count=0,
        updated_count=0,
        unchanged_count=0,
        failed_count=0,
        problem="",
        attempts=0,
        started_at=now,
        finished_at=None,
    ):
        return False
    ImportProblem.objects.filter(run=run).delete()
    return True


def cancel(*, run: ImportRun, now: datetime) -> bool:
    """End an import before its end; what it has stored stays. Return whether it had not ended by itself."""
    open_states = (*EDITABLE_STATES, *MOVING_STATES)
    return bool(
        ImportRun.objects.filter(pk=run.pk, state__in=open_states).update(
            state=ImportState.CANCELLED, finished_at=now, lease_token=None, lease_until=None
        )
    )


def failed_rows(*, run: ImportRun) -> Iterator[list[str]]:
    """
    Return the heading and the rows that could not be used, as they stand in the file, each with its problem.

    :raises FileRefused: if the file is gone.
    """
    problems: dict[int, list[str]] = {}
    for number, column, message in run.problems.order_by("row_number", "pk").values_list(
        "row_number", "column", "message"
    ):
        problems.setdefault(number, []).append(f"{column}: {message}" if column else message)
    file = open_upload(run)
    return _rows_with_problems(run, file, problems)


def _rows_with_problems(run: ImportRun, file: IO[bytes], problems: dict[int, list[str]]) -> Iterator[list[str]]:
    with closing(file):
        last = max(problems, default=0)
        for record in delimited.read_records(file, dialect_of(run), offset=run.start):
            if record.number == 1:
                yield [*record.cells, PROBLEM_HEADING]
            elif record.number in problems:
                yield [*record.cells, " ".join(problems[record.number])]
            if record.number >= last:
                return


def read_cells(run: ImportRun, record: Record, width: int) -> dict[str, str]:
    """
    Return the cells of a row by what they mean, without spaces around them.

    :raises RowRefused: if the row cannot be read or has more or fewer cells than the heading.
    """
    if record.problem:
        raise RowRefused("", record.problem)
    row = record.cells
    if len(row) != width and (len(row) < width or any(text.strip() for text in row[width:])):
        raise RowRefused(
            "", f"Has {len(row)} {'cell' if len(row) == 1 else 'cells'} where the first line names {width} columns."
        )
    return {meaning: cells.as_written(text.strip()) for meaning, text in zip(run.columns, row, strict=False) if meaning}


def shown_value(text: Any) -> str:
    """Return a cell as a preview shows it."""
    return " ".join(str(text).split())[:60]
