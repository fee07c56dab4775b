"""The admin shows one store at a time: this middleware says which, and in what role; the switcher changes it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project

SESSION_KEY = "project_id"


class CurrentProjectMiddleware:
    """
    Set `request.project` and `request.user.role` from the session and the person's memberships.

    A person sees the stores they are a member of, a superuser all, as an owner; the session remembers the one last
    chosen. Without any, `request.project` is None and the role is empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.project = None  # type: ignore[attr-defined]
        if request.path.startswith("/admin/") and request.user.is_authenticated:
            project = choose_project(request)
            request.project = project  # type: ignore[attr-defined]
            request.user.role = role_in(request, project)  # type: ignore[attr-defined]
            if project is not None:
                with timezone.override(ZoneInfo(project.time_zone)):  # a marketer reads the store's clock
                    return self.get_response(request)
        return self.get_response(request)


def visible_projects(request: HttpRequest) -> QuerySet[Project]:
    """Return the stores that the person may enter."""
    if request.user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=request.user.pk)


def choose_project(request: HttpRequest) -> Project | None:
    projects = visible_projects(request)
    chosen = projects.filter(pk=request.session[SESSION_KEY]).first() if SESSION_KEY in request.session else None
    return chosen or projects.order_by("name", "pk").first()


def role_in(request: HttpRequest, project: Project | None) -> str:
    if project is None:
        return ""
    membership = Membership.objects.filter(user=request.user.pk, project=project).first()
    if membership is not None:
        return membership.role
    return Role.OWNER if request.user.is_superuser else ""


@require_POST
def switch_project(request: HttpRequest) -> HttpResponse:
    """Make another store the current one; POST, so that no link can move a person to another store unseen."""
    try:
        chosen = visible_projects(request).get(pk=uuid.UUID(request.POST.get("project", "")))
    except (ValueError, Project.DoesNotExist) as error:
        raise Http404("There is no such store, or you are not a member of it.") from error
    request.session[SESSION_KEY] = str(chosen.pk)
    messages.info(request, f"You are now in {chosen.name}.")
    return HttpResponseRedirect(reverse("admin:index"))
