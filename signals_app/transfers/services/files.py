"""Files with personal data, and that they go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from signals_app.projects.models import Project
from signals_app.transfers.constants import MOVING_STATES, ExportState, ImportState
from signals_app.transfers.models import ExportFile, ImportRun

DELETED_FOR_ERASURE = "Its file was deleted because a person in this store was erased. Ask for it again."


def delete_personal_files(*, project: Project, before: datetime) -> int:
    """
    Delete the files of a store in which somebody may be who is erased since `before`, and return how many.

    Exports go as a whole, also those under way: asked for again, they come without the person. That goes for what was
    asked for while the erasure ran, too. Of imports that were there before, the file goes; one that has not ended is
    cancelled, and what it stored already stays.
    """
    exports = ExportFile.objects.filter(project=project)
    unfinished = exports.filter(state__in=(ExportState.QUEUED, ExportState.RUNNING))
    unfinished.update(state=ExportState.FAILED, problem=DELETED_FOR_ERASURE, lease_token=None, lease_until=None)
    count = delete_exports(exports.filter(state=ExportState.DONE)) + _empty_exports(exports)
    imports = ImportRun.objects.filter(project=project, created_at__lte=before)
    imports.filter(state__in=(ImportState.UPLOADED, ImportState.CHECKED, *MOVING_STATES)).update(
        state=ImportState.CANCELLED, problem=DELETED_FOR_ERASURE, lease_token=None, lease_until=None, finished_at=before
    )
    return count + delete_uploads(imports.exclude(upload=""))


def delete_exports(exports: QuerySet[ExportFile]) -> int:
    """Delete exports, each file before its row: a row without a file would only be a download that fails."""
    found = list(exports)
    _delete_files(found)
    ExportFile.objects.filter(pk__in=[export.pk for export in found]).delete()
    return len(found)


def delete_uploads(runs: QuerySet[ImportRun]) -> int:
    """Delete the files of imports; the runs stay, with the hash as evidence of what was imported."""
    found = list(runs)
    _delete_files(found)
    ImportRun.objects.filter(pk__in=[run.pk for run in found]).update(upload="")
    return len(found)


def _empty_exports(exports: QuerySet[ExportFile]) -> int:
    begun = list(exports.exclude(upload=""))
    _delete_files(begun)
    exports.filter(pk__in=[export.pk for export in begun]).update(upload="", size=0, rows=0, after=None)
    return len(begun)


def _delete_files(rows: Iterable[ImportRun | ExportFile]) -> None:
    for row in rows:
        if row.upload:
            row.upload.storage.delete(row.upload.name)  # says nothing if it is gone already
