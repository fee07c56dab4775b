from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signals_app.projects.models import Project
from signals_app.transfers import services
from signals_app.transfers.models import ImportRun

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROOF = {"source": "newsletter form", "wording": "Yes, mail me.", "occurred_at": "2026-11-02", "granted": "yes"}


@pytest.fixture(autouse=True)
def _files_of_their_own(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def upload(project: Project) -> Callable[..., ImportRun]:
    """Store a file to be imported, its columns chosen by their headings; options say what holds for all rows."""

    def upload(kind: str, text: str | bytes, *, columns: list[str] | None = None, **options: str) -> ImportRun:
        raw = text if isinstance(text, bytes) else text.encode()
        run = services.receive_file(
            project=project, kind=kind, file=io.BytesIO(raw), name="list.csv", by="ada", now=NOW
        )
        services.choose_columns(
            run=run, columns=run.columns if columns is None else columns, options={**run.options, **options}
        )
        return run

    return upload


@pytest.fixture
def import_list(upload: Callable[..., ImportRun]) -> Callable[..., ImportRun]:
    """Import a list, or only check it, and return the run as it ended."""

    def import_list(kind: str, text: str | bytes, *, is_check: bool = False, **more: Any) -> ImportRun:
        run = upload(kind, text, **more)
        services.start(run=run, is_check=is_check, now=NOW)
        finish(run)
        return run

    return import_list


def finish(run: ImportRun, now: datetime = NOW) -> None:
    while services.continue_import(now=now, run_id=run.pk).is_more:
        pass
    run.refresh_from_db()


def counts(run: ImportRun) -> tuple[int, int, int, int]:
    """Return how many rows were new, changed, known already and refused."""
    return run.created_count, run.updated_count, run.unchanged_count, run.failed_count


def problems(run: ImportRun) -> list[tuple[int, str, str]]:
    return list(run.problems.order_by("row_number", "pk").values_list("row_number", "column", "message"))
