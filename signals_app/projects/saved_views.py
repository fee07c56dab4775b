"""Saved views: search, filters and order of a list under a name, as chips above the list."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from signals_app.core.admin import note_form_errors
from signals_app.projects import services
from signals_app.projects.exceptions import TooManyViews
from signals_app.projects.models import SavedView

NOT_KEPT = frozenset({"p", "e", "all", "_popup", "_to_field", "_changelist_filters", "csrfmiddlewaretoken"})
"""Parts of a list's address that are not about what it shows."""
MOST_PARTS = 50


def kept(query: str) -> str:
    """Return what is worth keeping of a list's address: without the page, empty fields of its filter form and NULs."""
    parts = parse_qsl(query[:10_000], max_num_fields=None)[:MOST_PARTS]
    return urlencode([(name, value) for name, value in parts if name not in NOT_KEPT and value and "\x00" not in value])


class SaveViewForm(forms.Form):
    name = forms.CharField(label="Name", max_length=SavedView._meta.get_field("name").max_length)
    query = forms.CharField(required=False, max_length=10_000, widget=forms.HiddenInput())
    is_shared = forms.BooleanField(label="For the whole store", required=False)

    def clean_query(self) -> str:
        query = kept(self.cleaned_data["query"])
        if not query:
            raise ValidationError("Search, filter or sort the list first, then save what it shows.")
        return query


class SavedViewsAdmin:
    """Mixed into the admin of a list: its saved views stand above it, and what it shows can be saved."""

    list_before_template = "admin/saved_views.html"

    def get_urls(self) -> list[URLPattern]:
        site, name = self.admin_site, f"{self.opts.app_label}_{self.opts.model_name}"  # type: ignore[attr-defined]
        own = [
            path("views/", site.admin_view(self.save_view), name=f"{name}_save_view"),
            path("views/<int:view_id>/delete/", site.admin_view(self.delete_view_of_list), name=f"{name}_delete_view"),
        ]
        return own + super().get_urls()  # type: ignore[misc, no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"saved_views": self._shown_views(request)} | (extra_context or {})
        return super().changelist_view(request, context)  # type: ignore[misc, no-any-return]

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep what the list shows under the name that the person gives it."""
        project = getattr(request, "project", None)
        if not self._may_see(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = SaveViewForm(request.POST)
        query = ""
        if form.is_valid():
            data, query = form.cleaned_data, form.cleaned_data["query"]
            is_shared = data["is_shared"] and request.user.has_perm("projects.share_view")
            try:
                view = services.save_view(
                    project=project,  # type: ignore[arg-type]
                    owner=request.user,  # type: ignore[arg-type]
                    list_name=self.opts.label_lower,  # type: ignore[attr-defined]
                    name=data["name"],
                    query=query,
                    is_shared=is_shared,
                )
            except TooManyViews as error:
                messages.error(request, str(error))
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
            else:
                messages.success(request, f"Saved as “{view.name}”.")
        else:
            note_form_errors(request, form)
        return HttpResponseRedirect(f"{self._list_path()}?{query}" if query else self._list_path())

    def delete_view_of_list(self, request: HttpRequest, view_id: int) -> HttpResponse:
        """Delete a view: one's own, or a shared one by those who may share."""
        if not self._may_see(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        view = self._views(request).filter(pk=view_id).first()
        if view is None:
            raise Http404("There is no such saved view in this store.")
        if not self._may_delete(request, view):
            raise PermissionDenied
        view.delete()
        messages.success(request, f"“{view.name}” is deleted.")
        return HttpResponseRedirect(self._list_path())

    def _may_see(self, request: HttpRequest) -> bool:
        has_store = getattr(request, "project", None) is not None
        return has_store and self.has_view_permission(request)  # type: ignore[attr-defined]

    def _may_delete(self, request: HttpRequest, view: SavedView) -> bool:
        return view.owner_id == request.user.pk or request.user.has_perm("projects.share_view")

    def _list_path(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")  # type: ignore[attr-defined]

    def _views(self, request: HttpRequest) -> Any:
        return services.views_for(
            project=request.project,  # type: ignore[attr-defined]
            user=request.user,  # type: ignore[arg-type]
            list_name=self.opts.label_lower,  # type: ignore[attr-defined]
        )

    def _shown_views(self, request: HttpRequest) -> dict[str, Any]:
        if not self._may_see(request):
            return {}
        current = kept(request.GET.urlencode())
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"  # type: ignore[attr-defined]
        views = [
            {
                "view": view,
                "link": f"?{view.query}",
                "is_current": view.query == current,
                "delete": reverse(f"{name}_delete_view", args=[view.pk]) if self._may_delete(request, view) else "",
            }
            for view in self._views(request)
        ]
        return {
            "views": views,
            "query": current,
            "current": next((each for each in views if each["is_current"]), None),
            "save": reverse(f"{name}_save_view"),
            "may_share": request.user.has_perm("projects.share_view"),
        }
