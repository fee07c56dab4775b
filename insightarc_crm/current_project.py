"""The admin shows one store at a time: this middleware says which, and in what role."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from signals_app.projects.models import Membership, Project

SESSION_KEY = "project_id"


class CurrentProjectMiddleware:
    """
    Set `request.project` and `request.user.role` from the session and the person's memberships.

    A person sees the stores they are a member of, a superuser all; the session remembers the one last chosen.
    Without any, `request.project` is None and the role is empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.project = None  # type: ignore[attr-defined]
        if request.path.startswith("/admin/") and request.user.is_authenticated:
            project = choose_project(request)
            membership = Membership.objects.filter(user=request.user.pk, project=project).first() if project else None
            request.project = project  # type: ignore[attr-defined]
            request.user.role = membership.role if membership else ""  # type: ignore[attr-defined]
        return self.get_response(request)


def visible_projects(request: HttpRequest) -> QuerySet[Project]:
    """Return the stores that the person may enter."""
    if request.user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=request.user.pk)


def choose_project(request: HttpRequest) -> Project | None:
    projects = visible_projects(request)
    chosen = projects.filter(pk=request.session[SESSION_KEY]).first() if SESSION_KEY in request.session else None
    return chosen or projects.order_by("name").first()
