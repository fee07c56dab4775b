"""Pages of work that a person starts and workers carry out in slices: how far it is, and stopping it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.safestring import SafeString

from signals_app.core.admin import M, ProjectScopedAdmin, ReadOnlyAdmin, display
from signals_app.core.display import ago, badge

RUNNING = "RUNNING"
TONES = {RUNNING: "info", "DONE": "good"}


class RunAdmin(ReadOnlyAdmin, ProjectScopedAdmin[M]):
    """
    Rows with `state`, `started_by`, `started_at` and `finished_at`; the page of one that runs moves.

    A class has a button `stop` of its own.
    """

    change_form_template = "admin/run.html"
    list_display_links = ("started",)
    ordering = ("-started_at", "-pk")
    actions_detail: Any = ("stop",)

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        return [field for _, options in self.fieldsets or () for field in options["fields"]]

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        run: Any = self.get_object(request, str(object_id))
        return run is not None and run.state == RUNNING

    def page_context(self, request: HttpRequest, run: Any) -> dict[str, Any]:
        return {"is_moving": run.state == RUNNING}

    def note_stopped(self, request: HttpRequest, was_running: bool) -> None:
        """Say what came of the button."""
        if was_running:
            messages.success(request, "Stopped.")
        else:
            messages.info(request, "It had ended already.")

    @display(description="Started", ordering="started_at")
    def started(self, obj: Any) -> SafeString | str:
        return ago(obj.started_at)

    @display(description="Started by")
    def started_by_whom(self, obj: Any) -> str:
        return obj.started_by or "a command"

    @display(description="Ended")
    def finished(self, obj: Any) -> SafeString | str:
        return ago(obj.finished_at) if obj.finished_at else "Not yet"

    @display(description="State", ordering="state")
    def state_badge(self, obj: Any) -> SafeString:
        return badge(obj.get_state_display(), TONES.get(obj.state, "warn"))
