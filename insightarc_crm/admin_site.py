"""The admin site: its name, its navigation, and the pages that belong to no single room."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from insightarc_crm import home, unmatched_pages
from insightarc_crm.current_project import switch_project, visible_projects
from insightarc_crm.navigation import sidebar
from signals_app.core.admin import BaseAdminSite


class CrmAdminSite(BaseAdminSite):
    """Django's admin in our words: a home page with live proof, one store at a time, one sidebar."""

    index_title = "Home"
    enable_nav_sidebar = True

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own: list[URLPattern | URLResolver] = [
            path("store/", self.admin_view(switch_project), name="switch_project"),
            path("sending/", self.admin_view(self.pause_sending), name="pause_sending"),
            path("retention/", self.admin_view(self.retention), name="retention"),
            path("pages-without-a-product/", self.admin_view(self.unmatched_pages), name="unmatched_pages"),
        ]
        return own + super().get_urls()

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return Django's list of all models when somebody reads it: our sidebar stands in its place on every page."""
        listed = super().get_app_list
        return SimpleLazyObject(lambda: listed(request, app_label))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if not self.has_permission(request):
            return context
        project = getattr(request, "project", None)
        stores = list(visible_projects(request).order_by("name", "pk")[:50])
        return context | {
            "sidebar_navigation": sidebar(request),
            "site_subheader": project.name if project else "No store",
            "site_dropdown": stores if len(stores) > 1 else [],
            "current_project": project,
            "may_pause_sending": request.user.has_perm("projects.pause_sending"),
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        project = getattr(request, "project", None)
        board = home.build(project=project, request=request, now=timezone.now()) if project else {}
        context = {**self.each_context(request), "title": "Home", **board, **(extra_context or {})}
        request.current_app = self.name
        return TemplateResponse(request, "admin/index.html", context)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Return to the home page: the sidebar is the index, and the rooms of the code mean nothing to a marketer."""
        return HttpResponseRedirect(reverse("admin:index"))

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # The theme's search keeps answers per person and not per store.
        raise Http404("Search in the lists.")

    def retention(self, request: HttpRequest) -> HttpResponse:
        """Show how long everything is kept."""
        from insightarc_crm.retention_page import retention_page  # the rooms' models are not there yet at the start

        return retention_page(request, self.each_context(request))

    def unmatched_pages(self, request: HttpRequest) -> HttpResponse:
        return unmatched_pages.view(request, self.each_context(request))

    def pause_sending(self, request: HttpRequest) -> HttpResponse:
        """Ask, and on POST stop or resume all mails of the current store."""
        project = getattr(request, "project", None)
        if project is None or not request.user.has_perm("projects.pause_sending"):
            raise PermissionDenied
        back = reverse("admin:index")
        if request.method == "POST":
            project.is_sending_paused = request.POST.get("paused") == "1"
            project.save(update_fields=["is_sending_paused", "updated_at"])
            paused = project.is_sending_paused
            messages.success(request, "All sending is paused." if paused else "Sending goes on.")
            return HttpResponseRedirect(back)
        context = {**self.each_context(request), "title": "All sending", "back": back, "project": project}
        return TemplateResponse(request, "admin/pause_sending.html", context)
