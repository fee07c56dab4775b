"""
Lists into files: asked for by a person or a room, written by a worker page by page, downloaded until they expire.

A page is committed after its bytes are on the disk. A worker that goes on where another was killed cuts off what was
written behind the last committed byte, so that no row stands in a file twice.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError
from django.db.models import F, QuerySet

from signals_app.core import claims
from signals_app.core.exceptions import PermanentError
from signals_app.core.models import new_id
from signals_app.projects.models import Project
from signals_app.transfers import cells, kinds
from signals_app.transfers.constants import MAX_TRIES, ExportState
from signals_app.transfers.exceptions import FileRefused
from signals_app.transfers.kinds import ExportContext
from signals_app.transfers.models import ExportFile

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
ROWS_A_PAGE = 1_000
MOVING = (ExportState.QUEUED, ExportState.RUNNING)
BOM = b"\xef\xbb\xbf"
"""Without it, spreadsheets take UTF-8 for something else."""


@dataclass(frozen=True)
class ExportProgress:
    rows: int = 0
    is_more: bool = False


class _Lost(Exception):
    """The export was deleted meanwhile, or another worker has it."""


def request_export(
    *,
    project: Project,
    kind: str,
    parameters: Mapping[str, Any] | None = None,
    requested_by: str,
    neutralises_formulas: bool = True,
    now: datetime,
) -> ExportFile:
    """
    Have a list written into a file by the workers; its page shows how far it is and offers the download.

    `parameters` say what the list is of and hold no personal data, since they are kept and shown.

    :raises UnknownKind: if nobody registered the kind.
    :raises ParametersRefused: if there is no such list.
    """
    chosen = kinds.export_kind(kind)
    kept = chosen.check(project, parameters or {})
    return ExportFile.objects.create(
        id=new_id(),
        project=project,
        kind=kind,
        parameters=kept,
        neutralises_formulas=neutralises_formulas,
        expected=chosen.count(ExportContext(project, kept, now)),
        requested_by=requested_by[:150],
        created_at=now,
        expires_at=now + timedelta(days=settings.KEEP_EXPORT_FILES_DAYS),
    )


def open_export(*, export: ExportFile, now: datetime) -> tuple[IO[bytes], str]:
    """
    Return the file of an export and a name for it, which says what it holds and when it was made, and names nobody.

    :raises FileRefused: if it is not ready, or its time is over.
    """
    if export.state != ExportState.DONE or not export.upload:
        raise FileRefused("The export is not ready yet.")
    if export.expires_at <= now:
        raise FileRefused("The export has expired. Ask for it again.")
    try:
        file: IO[bytes] = export.upload.storage.open(export.upload.name, "rb")
    except FileNotFoundError as error:
        raise FileRefused("The file is no longer there. Ask for the export again.") from error
    return file, f"{export.kind}-{export.created_at:%Y-%m-%d}.csv"


def continue_export(*, now: datetime, seconds: float = 20) -> ExportProgress:
    """Carry on with the oldest export that is queued or running, for about so many seconds."""
    moving = ExportFile.objects.filter(state__in=MOVING).order_by("created_at", "pk")
    claim = claims.claim(moving, now=now, lease=LEASE, limit=1)
    if not claim.pks:
        return ExportProgress()
    export = ExportFile.objects.select_related("project").get(pk=claim.pks[0])
    try:
        if export.attempts > MAX_TRIES:
            raise FileRefused("It was broken off again and again. What happened stands in the log.")
        return _write(export, claim.token, now, time.monotonic() + seconds)
    except _Lost:
        return ExportProgress(is_more=True)
    except OperationalError:
        raise
    except (PermanentError, OSError) as error:
        logger.exception("An export failed", extra={"export": str(export.pk)})
        problem = str(error) if isinstance(error, PermanentError) else "The file could not be written."
        _held(export, claim.token).update(
            state=ExportState.FAILED, problem=problem[:500], finished_at=now, lease_token=None, lease_until=None
        )
        return ExportProgress(is_more=True)


def _held(export: ExportFile, token: UUID) -> QuerySet[ExportFile]:
    return ExportFile.objects.filter(pk=export.pk, lease_token=token, state__in=MOVING)


def _write(export: ExportFile, token: UUID, now: datetime, stop_at: float) -> ExportProgress:
    kind, began = kinds.export_kind(export.kind), time.monotonic()
    context = ExportContext(export.project, export.parameters, export.created_at)
    name = f"exports/{export.pk}.csv"
    size, after, rows = export.size, export.after, 0
    with _opened(export, name, size) as file:
        while True:
            is_first = size == 0
            page = kind.page(context, after, ROWS_A_PAGE)
            written = _as_bytes(page.rows, kind.columns(context) if is_first else None, export.neutralises_formulas)
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
            size, after, rows = size + len(written), page.after, rows + len(page.rows)
            moment = now + timedelta(seconds=time.monotonic() - began)
            is_last, is_enough = after is None, time.monotonic() >= stop_at
            is_held = _held(export, token).update(
                state=ExportState.DONE if is_last else ExportState.RUNNING,
                upload=name,
                size=size,
                after=after,
                rows=F("rows") + len(page.rows),
                attempts=0,
                started_at=export.started_at or now,
                finished_at=moment if is_last else None,
                lease_token=None if is_last or is_enough else token,
                lease_until=None if is_last or is_enough else moment + LEASE,
            )
            if not is_held:
                raise _Lost
            if is_last or is_enough:
                return ExportProgress(rows, is_more=True)


def _opened(export: ExportFile, name: str, size: int) -> IO[bytes]:
    """Open the file behind its last committed byte; one that is not there is begun."""
    path = Path(export.upload.storage.path(name))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    file.truncate(size)
    if os.fstat(file.fileno()).st_size < size or (size == 0 and export.rows):
        file.close()
        raise FileRefused("The file is no longer there. Ask for the export again.")
    file.seek(size)
    return file


def _as_bytes(rows: list[list[Any]], heading: list[str] | None, neutralises: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if heading is not None:
        writer.writerow([cells.cell(name, neutralises=neutralises) for name in heading])
    writer.writerows([[cells.cell(value, neutralises=neutralises) for value in row] for row in rows])
    return (BOM if heading is not None else b"") + text.getvalue().encode()
