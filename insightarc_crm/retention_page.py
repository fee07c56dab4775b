"""The page that says how long everything is kept, what was deleted last and how old the oldest row is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from insightarc_crm.retention import KEPT, PRUNABLES
from signals_app.audit.models import PruneRun
from signals_app.core.pruning import Prunable
from signals_app.projects.models import Project

FAR_AWAY = timedelta(days=36_500)
STORE_PATHS = {"project": "project", "source": "source__project", "rule": "rule__project"}


@dataclass(frozen=True)
class KeptRows:
    """One line of the page."""

    about: str
    kept_for: str
    setting: str
    oldest: datetime | date | None
    run: PruneRun | None
    verb: str


def retention_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show how long things are kept; settings of the server change it, for all stores at once."""
    project = getattr(request, "project", None)
    if project is None or not request.user.has_perm("audit.see_retention"):
        raise PermissionDenied
    runs = {run.name: run for run in PruneRun.objects.all()}
    now = timezone.now()
    context |= {
        "title": "Data retention",
        "rows": [_kept(prunable, runs.get(prunable.name), project, now) for prunable in PRUNABLES],
        "others": list(KEPT.values()),
        "last_run": max((run.ran_at for run in runs.values()), default=None),
    }
    return TemplateResponse(request, "admin/audit/retention.html", context)


def _kept(prunable: Prunable, run: PruneRun | None, project: Project, now: datetime) -> KeptRows:
    return KeptRows(
        about=prunable.about or prunable.name.capitalize(),
        kept_for=prunable.kept_for(),
        setting=prunable.setting,
        oldest=_oldest(prunable, project, now),
        run=run,
        verb="emptied" if prunable.changes else "deleted",
    )


def _oldest(prunable: Prunable, project: Project, now: datetime) -> datetime | date | None:
    """
    Return the time of the store's oldest row.

    What would be deleted in a hundred years is everything, and is read along an index from its oldest row on.
    """
    if not prunable.oldest:
        return None
    firsts = (
        _of_store(rows, project).values_list(prunable.oldest, flat=True).first()
        for rows in prunable.expired(now + FAR_AWAY)
    )
    return min((first for first in firsts if first is not None), default=None)


def _of_store(rows: QuerySet[Any], project: Project) -> QuerySet[Any]:
    names = {field.name for field in rows.model._meta.get_fields()}
    path = next((path for name, path in STORE_PATHS.items() if name in names), None)
    return rows.filter(**{path: project}) if path else rows
