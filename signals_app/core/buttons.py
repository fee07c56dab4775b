"""Buttons of the admin's lists and pages; rooms import them from `core.admin`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action as themed_action

from signals_app.core.deeds import DeedKind, has_told, tell
from signals_app.core.logged_names import deed_about, kind_of_button

Method = TypeVar("Method", bound=Callable[..., Any])


def action(
    *,
    description: str,
    permissions: list[str] | None = None,
    url_path: str | None = None,
    icon: str | None = None,
    variant: Any = None,
    attrs: dict[str, Any] | None = None,
) -> Callable[[Method], Method]:
    """Return the theme's decorator for actions; a button that changes something is a `post_action` instead."""
    decorator: Callable[[Method], Method] = themed_action(
        description=description, permissions=permissions, url_path=url_path, icon=icon, variant=variant, attrs=attrs
    )
    return decorator


def post_action(
    *, description: str, question: str, permission: str, icon: str = "", variant: Any = None, submit: str = ""
) -> Callable[[Callable[[Any, HttpRequest, Any], Any]], Any]:
    """
    Make a method of an admin class a button of the row's page (`actions_detail`) that asks before it acts.

    GET shows `question`, POST runs the method with the row of the current store and returns to the row, unless the
    method returns a response of its own. A link alone never changes anything.
    """

    def decorate(method: Callable[[Any, HttpRequest, Any], Any]) -> Any:
        @wraps(method)
        def run(self: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
            row = self.get_object(request, object_id)
            if row is None:
                raise Http404(f"There is no {self.opts.verbose_name} {object_id!r} in this store.")
            if not (self.has_view_permission(request, row) and self.may(request, permission)):
                raise PermissionDenied
            back = reverse(
                f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id]
            )
            if request.method == "POST":
                about = deed_about(DeedKind.DID, row, name=str(row)[:200] if self.names_are_public else "")
                answer = method(self, request, row)
                if not has_told(request):
                    kind = kind_of_button(method.__name__)
                    tell(request, replace(about, kind=kind, detail=description if kind is DeedKind.DID else ""))
                return answer if isinstance(answer, HttpResponseBase) else HttpResponseRedirect(back)
            context = {
                **self.admin_site.each_context(request),
                "title": description,
                "question": question,
                "submit_label": submit or description,
                "object": row,
                "opts": self.opts,
                "back": back,
            }
            return TemplateResponse(request, "admin/confirm_action.html", context)

        button = action(description=description, icon=icon or None, variant=variant)(run)
        button.needs = permission  # type: ignore[attr-defined]
        return button

    return decorate
