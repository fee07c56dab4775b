"""Recomputations of profiles: started, watched and stopped by a person."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import action, display, post_action
from signals_app.core.display import meter
from signals_app.core.run_pages import RunAdmin
from signals_app.shopper_signals import services
from signals_app.shopper_signals.constants import RecomputePhase, RecomputeState
from signals_app.shopper_signals.models import RecomputeRun

QUESTION = (
    "Every product and profile of this store is read again from what is stored, with the URL patterns, the catalogue "
    "and the half-life of now. New signals are processed meanwhile; no mail is sent because of it. A million signals "
    "take some minutes."
)


@admin.register(RecomputeRun)
class RecomputeRunAdmin(RunAdmin[RecomputeRun]):
    """What was read again, and how far it is; the page of one that runs moves."""

    when_empty = "After a change of the URL patterns, all stored signals can be read again: profiles and scores become what they would have been."
    list_display = ("started", "state_badge", "progress", "started_by_whom")
    search_fields = ("started_by",)
    fieldsets = (
        (None, {"fields": ("state_badge", "progress", "signals", "products")}),
        ("Who and when", {"fields": ("started", "started_by_whom", "finished")}),
    )
    actions_list = ("start",)

    def has_start_permission(self, request: HttpRequest) -> bool:
        return getattr(request, "project", None) is not None and bool(
            request.user.has_perm("shopper_signals.recompute")
        )

    @display(description="Profiles")
    def progress(self, obj: RecomputeRun) -> SafeString | str:
        if obj.state == RecomputeState.DONE:
            return f"{obj.profiles_done:,}"
        if obj.phase == RecomputePhase.PRODUCTS:
            return "Products first"
        return meter(obj.profiles_done, maximum=obj.expected, text=f"{obj.profiles_done:,} of {obj.expected:,}")

    @display(description="Signals read")
    def signals(self, obj: RecomputeRun) -> str:
        return f"{obj.signals_read:,}"

    @display(description="Products with another page than before")
    def products(self, obj: RecomputeRun) -> str:
        return f"{obj.products_changed:,}"

    @action(description="Recompute profiles", icon="autorenew", url_path="start", permissions=["start"])
    def start(self, request: HttpRequest) -> HttpResponse:
        """Ask, and start on a POST: a link alone never changes anything."""
        project = getattr(request, "project", None)
        if project is None or not self.has_start_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "title": "Recompute profiles",
                "opts": self.opts,
                "question": QUESTION,
                "back": reverse("admin:shopper_signals_recomputerun_changelist"),
                "subject": "Recompute profiles",
                "submit_label": "Recompute profiles",
            }
            return TemplateResponse(request, "admin/confirm_action.html", context)
        run, is_new = services.start_recompute(
            project=project, started_by=request.user.get_username(), now=timezone.now()
        )
        messages.success(request, "Started." if is_new else "It was running already, and begins again.")
        return HttpResponseRedirect(reverse("admin:shopper_signals_recomputerun_change", args=[run.pk]))

    @post_action(
        description="Stop",
        question="Profiles that are done stay as they are now; the others keep what they were.",
        permission="shopper_signals.recompute",
        icon="stop_circle",
    )
    def stop(self, request: HttpRequest, obj: RecomputeRun) -> None:
        self.note_stopped(request, services.stop_recompute(run=obj, now=timezone.now()))
