"""How long files with personal data are kept, and what remains of an import."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from signals_app.core.pruning import Prunable, days_in_words
from signals_app.transfers.constants import MOVING_STATES
from signals_app.transfers.models import ExportFile, ImportProblem, ImportRun
from signals_app.transfers.services.files import delete_exports, delete_uploads


def _exports(now: datetime) -> Iterable[QuerySet[ExportFile]]:
    return [ExportFile.objects.filter(expires_at__lt=now).order_by("expires_at")]


def _uploads(now: datetime) -> Iterable[QuerySet[ImportRun]]:
    oldest = now - timedelta(days=settings.KEEP_IMPORT_FILES_DAYS)
    kept = ImportRun.objects.exclude(upload="").exclude(state__in=MOVING_STATES)
    return [kept.filter(created_at__lt=oldest).order_by("created_at")]


def _problems(now: datetime) -> Iterable[QuerySet[ImportProblem]]:
    """Forget why rows were not used; how many they were stays with the run."""
    oldest = now - timedelta(days=settings.KEEP_COUNTS_DAYS)
    old = ImportRun.objects.filter(created_at__lt=oldest).values("pk")
    return [ImportProblem.objects.filter(run__in=old).order_by("run", "row_number")]


PRUNABLES = (
    Prunable(
        "exports", _exports, delete_exports, model=ExportFile, oldest="created_at",
        about="Exported files, to be downloaded", kept_for=lambda: days_in_words(settings.KEEP_EXPORT_FILES_DAYS),
        setting="KEEP_EXPORT_FILES_DAYS",
    ),
    Prunable(
        "files of imports", _uploads, delete_uploads, model=ImportRun, oldest="created_at", changes=True,
        about="Imported files; counts and fingerprints stay",
        kept_for=lambda: days_in_words(settings.KEEP_IMPORT_FILES_DAYS), setting="KEEP_IMPORT_FILES_DAYS",
    ),
    Prunable(
        "problems of imports", _problems, model=ImportProblem, about="Why rows of an import were left out",
        kept_for=lambda: days_in_words(settings.KEEP_COUNTS_DAYS), setting="KEEP_COUNTS_DAYS",
    ),
)  # fmt: skip
