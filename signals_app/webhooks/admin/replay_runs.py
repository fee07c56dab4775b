"""Replays of many deliveries: how far they are, and what came of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import display, post_action
from signals_app.core.display import badge, inside_link, lines, meter
from signals_app.core.run_pages import RunAdmin
from signals_app.webhooks import services
from signals_app.webhooks.admin.replaying import number_in_words
from signals_app.webhooks.constants import InboxState, ReplayState
from signals_app.webhooks.models import InboxItem, ReplayRun


@admin.register(ReplayRun)
class ReplayRunAdmin(RunAdmin[ReplayRun]):
    """Replays of many deliveries; the page of one that runs shows how far it is."""

    names_are_public = True
    project_path = "source__project"
    list_display = ("started", "what", "state_badge", "progress", "started_by")
    search_fields = ("error_text", "started_by")
    list_filter = ("source",)
    fieldsets = (
        (None, {"fields": ("state_badge", "what", "between", "progress", "result", "source")}),
        ("Who and when", {"fields": ("started", "started_by_whom", "finished")}),
    )

    @display(description="State", ordering="state")
    def state_badge(self, obj: ReplayRun) -> SafeString:
        if obj.state == ReplayState.RUNNING and obj.source.is_paused:
            return badge("Waits: the connection is paused", "warn")
        return super().state_badge(obj)

    @display(description="What")
    def what(self, obj: ReplayRun) -> str:
        parts = [obj.get_scope_display()]
        if obj.problem:
            parts.append(obj.get_problem_display())
        if obj.error_text:
            parts.append(f"with “{obj.error_text}”")
        return ", ".join(parts)

    @display(description="Received")
    def between(self, obj: ReplayRun) -> SafeString:
        start = timezone.localtime(obj.received_from).strftime("%Y-%m-%d %H:%M:%S") if obj.received_from else ""
        end = timezone.localtime(obj.received_until).strftime("%Y-%m-%d %H:%M:%S")
        return format_html("between {} and {}", start, end) if start else format_html("until {}", end)

    @display(description="Handed over")
    def progress(self, obj: ReplayRun) -> SafeString | str:
        text = f"{obj.handed_over:,} of {number_in_words(obj.expected)}"
        if obj.state == ReplayState.DONE or not obj.expected or obj.expected > services.COUNTED_TO:
            return f"{obj.handed_over:,}" if obj.state == ReplayState.DONE else text
        return meter(obj.handed_over, maximum=obj.expected, text=text)

    @display(description="What came of it")
    def result(self, obj: ReplayRun) -> SafeString | str:
        waiting, came_back = in_process(obj), self._came_back(obj)
        parts: list[object] = [f"{number_in_words(waiting)} still waiting to be processed"] if waiting else []
        if came_back:
            needs_fixing = reverse("admin:webhooks_inboxitem_changelist")
            parts.append(format_html("{} came back to {}", came_back, inside_link(needs_fixing, "Needs fixing")))
        if not parts and obj.handed_over:
            parts.append("All are processed; none came back.")
        log = reverse("admin:webhooks_webhookdelivery_changelist")
        return lines([*parts, inside_link(log, "Incoming log")])

    def _came_back(self, obj: ReplayRun) -> str:
        fixing = InboxItem.objects.filter(source=obj.source, state=InboxState.QUARANTINED)
        found = fixing.filter(replayed_at__gte=obj.started_at)[: services.COUNTED_TO + 1].count()
        return number_in_words(found) if found else ""

    @post_action(
        description="Stop",
        question="What is handed over already is processed; the rest stays as it is.",
        permission="webhooks.replay",
        icon="stop_circle",
    )
    def stop(self, request: HttpRequest, obj: ReplayRun) -> None:
        self.note_stopped(request, services.stop_replay(run=obj, now=timezone.now()))

    def page_context(self, request: HttpRequest, run: ReplayRun) -> dict[str, Any]:
        return {"is_moving": run.state == ReplayState.RUNNING or bool(in_process(run))}


def in_process(run: ReplayRun) -> int:
    """Count, to a limit, what waits in the inbox since a replay began."""
    waiting = InboxItem.objects.filter(state=InboxState.PENDING, source=run.source, replayed_at__gte=run.started_at)
    return waiting[: services.COUNTED_TO + 1].count()
