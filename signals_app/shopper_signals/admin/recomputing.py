"""Recomputations of profiles: started, watched and stopped by a person."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import ProjectScopedAdmin, ReadOnlyAdmin, action, display, post_action
from signals_app.core.display import ago, badge, meter
from signals_app.shopper_signals import services
from signals_app.shopper_signals.constants import RecomputePhase, RecomputeState
from signals_app.shopper_signals.models import RecomputeRun

TONES = {RecomputeState.RUNNING.value: "info", RecomputeState.DONE.value: "good"}
QUESTION = (
    "Every product and profile of this store is read again from what is stored, with the URL patterns, the catalogue "
    "and the half-life of now. New signals are processed meanwhile; no mail is sent because of it. A million signals "
    "take some minutes."
)


@admin.register(RecomputeRun)
class RecomputeRunAdmin(ReadOnlyAdmin, ProjectScopedAdmin[RecomputeRun]):
    """What was read again, and how far it is; the page of one that runs moves."""

    change_form_template = "admin/shopper_signals/recompute_run.html"
    list_display = ("started", "state_badge", "progress", "started_by_whom")
    list_display_links = ("started",)
    search_fields = ("started_by",)
    ordering = ("-started_at", "-pk")
    fieldsets = (
        (None, {"fields": ("state_badge", "progress", "signals", "products")}),
        ("Who and when", {"fields": ("started", "started_by_whom", "finished")}),
    )
    actions_list = ("start",)
    actions_detail = ("stop",)

    def get_readonly_fields(self, request: HttpRequest, obj: RecomputeRun | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        run = self.get_object(request, str(object_id))
        return run is not None and run.state == RecomputeState.RUNNING

    def has_start_permission(self, request: HttpRequest) -> bool:
        return getattr(request, "project", None) is not None and bool(
            request.user.has_perm("shopper_signals.recompute")
        )

    @display(description="Started", ordering="started_at")
    def started(self, obj: RecomputeRun) -> str:
        return ago(obj.started_at)

    @display(description="Started by")
    def started_by_whom(self, obj: RecomputeRun) -> str:
        return obj.started_by or "a command"

    @display(description="Ended")
    def finished(self, obj: RecomputeRun) -> str:
        return ago(obj.finished_at) if obj.finished_at else "Not yet"

    @display(description="State", ordering="state")
    def state_badge(self, obj: RecomputeRun) -> SafeString:
        return badge(obj.get_state_display(), TONES.get(obj.state, "warn"))

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
        if services.stop_recompute(run=obj, now=timezone.now()):
            messages.success(request, "Stopped.")
        else:
            messages.info(request, "It had ended already.")

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: RecomputeRun | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context["is_moving"] = obj.state == RecomputeState.RUNNING
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)
