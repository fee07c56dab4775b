"""
What the admin's base classes cannot tell: who looked, who signed in, and what pages of their own did.

Stands after the middleware that finds the current store. Every page of the admin is covered, whoever writes it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from signals_app.core.admin import ModelAdmin
from signals_app.core.deeds import Deed, DeedKind, has_told, tell
from signals_app.core.logged_names import kind_of_button

SESSION_KEY = "audited_stores"
MAX_STORES = 100
NOT_TOLD = frozenset({"login", "logout", "switch_project", "jsi18n", "autocomplete", "password_change"})


class AuditTrailMiddleware:
    """Tell what a person did in the admin, after it was done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (match := request.resolver_match) and "admin" in match.namespaces and _counts(request, response, match):
            note_arrival(request)
            note_request(request, response, match)
        return response


def _counts(request: HttpRequest, response: HttpResponse, match: ResolverMatch) -> bool:
    """Say whether a request was done, by somebody whom we know, in a store."""
    is_known = getattr(request, "project", None) is not None and request.user.is_authenticated
    return is_known and response.status_code < 400 and match.url_name not in NOT_TOLD


def note_arrival(request: HttpRequest) -> None:
    """Tell that a person came into a store, once for each time that they sign in."""
    project = str(request.project.pk)  # type: ignore[attr-defined]
    known = request.session.get(SESSION_KEY, [])
    if project not in known:
        request.session[SESSION_KEY] = [*known, project][-MAX_STORES:]
        tell(request, Deed(DeedKind.SIGNED_IN, is_look=True))


def note_request(request: HttpRequest, response: HttpResponse, match: ResolverMatch) -> None:
    """Tell what a request looked at, exported or did, unless whoever did it has told it."""
    if has_told(request):
        return
    model, page = _model_and_page(match.url_name or "")
    object_id = str(match.kwargs.get("object_id", ""))
    is_file = "attachment" in response.get("Content-Disposition", "")
    if is_file:
        tell(request, Deed(DeedKind.EXPORTED, model, object_id, detail=_words(page)))
    elif (
        request.method == "POST"
        and response.status_code == 302
        and page not in ("changelist", "add", "change", "delete")
    ):
        tell(request, Deed(kind_of_button(page), model, object_id, detail=_words(page)))
    elif request.method == "GET" and response.status_code == 200 and _may_name_shoppers(model):
        if page == "change" or (object_id and kind_of_button(page) is DeedKind.DID):
            detail = "" if page == "change" else _words(page)
            tell(request, Deed(DeedKind.SAW, model, object_id, detail=detail, is_look=True))
        elif page == "changelist":
            tell(request, Deed(DeedKind.LISTED, model, is_look=True))


def _model_and_page(url_name: str) -> tuple[str, str]:
    """Split "customers_customer_consent" into the model's label and the page; of no model: "" and the name."""
    for model in admin.site._registry:
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        if url_name.startswith(prefix):
            return model._meta.label_lower, url_name.removeprefix(prefix)
    return "", url_name


def _may_name_shoppers(label: str) -> bool:
    for model, page in admin.site._registry.items():
        if model._meta.label_lower == label:
            return isinstance(page, ModelAdmin) and not page.names_are_public
    return False


def _words(page: str) -> str:
    """Return what a page is called; nothing where the kind of the deed says it."""
    return "" if kind_of_button(page) is not DeedKind.DID else page.replace("_", " ").capitalize()
