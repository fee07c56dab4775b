"""How the list of what needs fixing is filtered, and what the filters mean to a replay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from signals_app.core.admin import DropdownFilter, chosen_times
from signals_app.projects.models import Project
from signals_app.webhooks.constants import InboxState, Problem, ReplayScope
from signals_app.webhooks.models import InboxItem
from signals_app.webhooks.problems import error_is
from signals_app.webhooks.services import COUNTED_TO, Selection

TIME = "delivery__received_at"


class ProblemFilter(DropdownFilter):  # type: ignore[misc]
    """One group of reasons."""

    title = "what is wrong"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Problem.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> QuerySet[InboxItem]:
        problem = _problem(self.value())
        return queryset if problem is None else queryset.filter(error_is(problem))


class ShownFilter(DropdownFilter):  # type: ignore[misc]
    """What needs fixing, or instead what was set aside."""

    title = "state"
    parameter_name = "shown"
    all_option = ["", "Needs fixing"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("aside", "Set aside"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> QuerySet[InboxItem]:
        return queryset.filter(state=InboxState.SET_ASIDE if self.value() else InboxState.QUARANTINED)


def problem_counts(project: Project, request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of reasons that the store has, with their numbers and the link that filters by each."""
    newest = InboxItem.objects.filter(source__project=project, state=InboxState.QUARANTINED).order_by("-pk")
    found = newest[:COUNTED_TO].aggregate(
        **{problem.value: Count("pk", filter=error_is(problem)) for problem in Problem}
    )
    is_more = sum(found.values()) >= COUNTED_TO
    path, current = reverse("admin:webhooks_inboxitem_changelist"), _problem(request.GET.get("problem"))
    return [
        {
            "label": problem.label,
            "count": f"{found[problem.value]:,}{'+' if is_more else ''}",
            "url": path if problem is current else f"{path}?problem={problem.value}",
            "is_current": problem is current,
        }
        for problem in Problem
        if found[problem.value]
    ]


def selection_of(query: Mapping[str, Any], *, now: datetime) -> Selection:
    """Return what the filters in a list's address leave, as a replay keeps it."""
    received_from, until = chosen_times(query, TIME)
    return Selection(
        scope=ReplayScope.NEEDS_FIXING,
        problem=_problem(query.get("problem")),
        error_text=str(query.get("q", "")).strip()[:200],
        received_from=received_from,
        received_until=min(until, now) if until else now,
    )


def selection_in_words(selection: Selection) -> str:
    parts = [selection.problem.label.lower() if selection.problem else "all that needs fixing"]
    if selection.error_text:
        parts.append(f"with “{selection.error_text}”")
    if selection.received_from:
        parts.append(f"since {_in_words(selection.received_from)}")
    return " ".join([*parts, f"until {_in_words(selection.received_until)}"])


def _in_words(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def _problem(value: Any) -> Problem | None:
    return Problem(value) if value in Problem.values else None
