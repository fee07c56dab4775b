"""Imports: upload a list, say what its columns mean, check it, and see what became of each row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from signals_app.core.admin import ChoicesFilter, ProjectScopedAdmin, action, display, post_action, take_over
from signals_app.core.display import ago, badge, inside_link, lines, meter
from signals_app.core.numbers import percent
from signals_app.transfers import cells, kinds, services
from signals_app.transfers.admin.forms import ColumnsForm, UploadForm
from signals_app.transfers.constants import EDITABLE_STATES, MAX_PROBLEMS_KEPT, MOVING_STATES, ImportState
from signals_app.transfers.exceptions import ColumnsRefused, FileRefused, UnknownKind
from signals_app.transfers.models import ImportRun
from signals_app.transfers.tasks import wake

TONES = {
    ImportState.RUNNING.value: "info",
    ImportState.QUEUED.value: "info",
    ImportState.DONE.value: "good",
    ImportState.FAILED.value: "bad",
    ImportState.UPLOADED.value: "warn",
    ImportState.CHECKED.value: "warn",
}
PROBLEMS_ON_PAGE = 50
ROOM_FOR_THE_FORM = 1024 * 1024


@admin.register(ImportRun)
class ImportRunAdmin(ProjectScopedAdmin[ImportRun]):
    """Lists that were uploaded. Nobody changes a run; it is checked, started and cancelled."""

    when_empty = (
        "Bring profiles, consents, orders or suppressions from a file. A check shows what would happen before anything "
        "does."
    )

    change_form_template = "admin/transfers/moving.html"
    form = UploadForm
    list_display = ("what", "file", "state_badge", "progress", "left_over", "started")
    list_display_links = ("what", "file")
    list_filter = (("state", ChoicesFilter),)
    search_fields = ("file_name", "requested_by")
    search_help_text = "Name of the file, or who uploaded it"
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("state_badge", "what", "progress", "result", "left_over")}),
        ("File", {"fields": ("file", "proof", "meanings", "answers")}),
        ("Who and when", {"fields": ("started", "requested", "finished")}),
    )
    actions_detail = ("columns_button", "start_button", "cancel_button")

    # --- Who may what -------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: ImportRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ImportRun | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        run = self.get_object(request, str(object_id))
        if run is None or not self.has_add_permission(request):
            return False
        if button.endswith("cancel_button"):
            return run.state in (*EDITABLE_STATES, *MOVING_STATES)
        if button.endswith("start_button"):
            return run.state == ImportState.CHECKED
        return run.state in EDITABLE_STATES

    # --- Uploading ----------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: ImportRun | None = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": ("kind", "upload")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: ImportRun | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]] if obj else ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: list[URLPattern] = [
            path("<uuid:object_id>/columns/", view(self.columns_view), name="transfers_importrun_columns"),
            path("<uuid:object_id>/rows/", view(self.rows_view), name="transfers_importrun_rows"),
        ]
        return own + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.IMPORT_MAX_BYTES + ROOM_FOR_THE_FORM:
            # Refused before a byte of it is read.
            megabytes = settings.IMPORT_MAX_BYTES // 1024 // 1024
            messages.error(request, f"The file is larger than {megabytes} MB. Split it.")
            return HttpResponseRedirect(request.path)
        context = {
            "title": "Import a list",
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            "explained": [(kind.label, kind.explanation) for kind in kinds.import_kinds()],
        }
        try:
            return super().add_view(request, form_url, context | (extra_context or {}))
        except FileRefused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: ImportRun, form: Any, change: bool) -> None:
        upload = form.cleaned_data["upload"]
        made = services.receive_file(
            project=obj.project,
            kind=form.cleaned_data["kind"],
            file=upload.file,
            name=upload.name or "",
            by=request.user.get_username(),
            now=timezone.now(),
        )
        take_over(obj, made)

    def response_add(self, request: HttpRequest, obj: ImportRun, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:transfers_importrun_columns", args=[obj.pk]))

    def log_addition(self, request: HttpRequest, obj: ImportRun, message: Any) -> Any:
        """Write nothing: the run itself says who uploaded it, and the name of the file may name people."""

    # --- Columns ------------------------------------------------------------------------------------------------------

    def _own(self, request: HttpRequest, object_id: Any) -> ImportRun:
        run = self.get_object(request, str(object_id))
        if run is None:
            raise Http404("There is no such import in this store.")
        if not (self.has_view_permission(request, run) and self.has_add_permission(request)):
            raise PermissionDenied
        return run

    def columns_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Say what the columns mean, beside their first rows; then check the list, or import it."""
        run = self._own(request, object_id)
        back = HttpResponseRedirect(reverse("admin:transfers_importrun_change", args=[run.pk]))
        if run.state not in EDITABLE_STATES:
            return back
        try:
            kind, shown = kinds.import_kind(run.kind), services.preview(run=run)
        except (FileRefused, UnknownKind) as error:
            messages.error(request, str(error))
            return back
        form = ColumnsForm(request.POST or None, kind=kind, shown=shown, columns=run.columns, options=run.options)
        if request.method == "POST" and form.is_valid():
            try:
                services.choose_columns(run=run, columns=form.columns(), options=form.options())
            except ColumnsRefused as refused:
                form.note(refused.errors)
            else:
                return self._begin(run, is_check="check" in request.POST)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Import: {kind.label}",
            "opts": self.opts,
            "original": run,
            "run": run,
            "kind": kind,
            "form": form,
            "shown": shown,
            "back": back.url,
        }
        return TemplateResponse(request, "admin/transfers/columns.html", context)

    def _begin(self, run: ImportRun, *, is_check: bool) -> HttpResponse:
        if services.start(run=run, is_check=is_check, now=timezone.now()):
            wake()
        return HttpResponseRedirect(reverse("admin:transfers_importrun_change", args=[run.pk]))

    @action(description="Columns", icon="view_column")
    def columns_button(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self._own(request, object_id)
        return HttpResponseRedirect(reverse("admin:transfers_importrun_columns", args=[run.pk]))

    @post_action(
        description="Import now",
        question="The rows that can be used are imported; the others are left out and listed.",
        permission="add",
        icon="play_circle",
    )
    def start_button(self, request: HttpRequest, obj: ImportRun) -> HttpResponse:
        return self._begin(obj, is_check=False)

    @post_action(
        description="Cancel",
        question="What is imported already stays; the rest is left out.",
        permission="add",
        icon="stop_circle",
        submit="Cancel the import",
    )
    def cancel_button(self, request: HttpRequest, obj: ImportRun) -> None:
        if services.cancel(run=obj, now=timezone.now()):
            messages.success(request, "Cancelled.")
        else:
            messages.info(request, "It had ended already.")

    # --- What became of it --------------------------------------------------------------------------------------------

    def rows_view(self, request: HttpRequest, object_id: Any) -> Any:
        """Return the rows that could not be used, each with its problem, to be mended and uploaded again."""
        run = self._own(request, object_id)
        try:
            rows = services.failed_rows(run=run)
        except FileRefused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:transfers_importrun_change", args=[run.pk]))
        headers = {
            "Content-Disposition": f'attachment; filename="rows-to-mend-{run.created_at:%Y-%m-%d}.csv"',
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(as_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)

    def page_context(self, request: HttpRequest, run: ImportRun) -> dict[str, Any]:
        title = f"Import: {self.what(run)}"
        return {"is_moving": run.state in MOVING_STATES, "title": title, "show_history": False, "subtitle": None}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        found = list(run.problems.order_by("row_number", "pk")[:PROBLEMS_ON_PAGE]) if run else []
        context = {
            "problems": found,
            "more_problems": max(0, (run.failed_count if run else 0) - len(found)),
            "is_cut": bool(run and run.failed_count > MAX_PROBLEMS_KEPT),
            "kept": MAX_PROBLEMS_KEPT,
            "rows_link": reverse("admin:transfers_importrun_rows", args=[run.pk]) if run and found else "",
            "may_download": self.has_add_permission(request),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @display(description="List", ordering="kind")
    def what(self, obj: ImportRun) -> str:
        try:
            return kinds.import_kind(obj.kind).label
        except UnknownKind:
            return obj.kind

    @display(description="File", ordering="file_name")
    def file(self, obj: ImportRun) -> str:
        return obj.file_name or "–"

    @display(description="State", ordering="state")
    def state_badge(self, obj: ImportRun) -> SafeString:
        text = obj.get_state_display()
        if obj.state == ImportState.RUNNING and obj.is_check:
            text = "Being checked"
        return badge(text, TONES.get(obj.state, "neutral"))

    @display(description="Progress")
    def progress(self, obj: ImportRun) -> SafeString | str:
        rows = f"{obj.rows_read:,} {'row' if obj.rows_read == 1 else 'rows'}"
        if obj.state in MOVING_STATES and obj.size:
            share = obj.position / obj.size
            return meter(share, maximum=1, text=f"{percent(share)}, {rows}")
        return rows if obj.rows_read else "–"

    @display(description="What came of it")
    def result(self, obj: ImportRun) -> SafeString | str:
        if obj.problem:
            return obj.problem
        if obj.state == ImportState.UPLOADED:
            return inside_link(reverse("admin:transfers_importrun_columns", args=[obj.pk]), "Say what the columns mean")
        would = "would be " if obj.is_check else ""
        counts = (
            (obj.created_count, f"{would}new"),
            (obj.updated_count, f"{would}changed"),
            (obj.unchanged_count, "known already, unchanged"),
        )
        found: list[object] = [f"{count:,} {words}" for count, words in counts if count]
        if obj.state == ImportState.CHECKED:
            found.append("Nothing is imported yet.")
        return lines(found)

    @display(description="Rows left out")
    def left_over(self, obj: ImportRun) -> SafeString | str:
        if not obj.failed_count:
            return "None" if obj.rows_read else "–"
        return badge(f"{obj.failed_count:,}", "warn")

    @display(description="SHA-256")
    def proof(self, obj: ImportRun) -> SafeString:
        kept = f"{obj.size:,} bytes" if obj.upload else f"{obj.size:,} bytes; the file itself has been deleted"
        return format_html('<span class="crm-wrap">{}</span><div class="crm-quiet">{}</div>', obj.sha256 or "–", kept)

    @display(description="Columns")
    def meanings(self, obj: ImportRun) -> SafeString | str:
        try:
            kind = kinds.import_kind(obj.kind)
        except UnknownKind:
            return "–"
        return ", ".join(kind.label_of(str(meaning)) for meaning in obj.columns if meaning) or "–"

    @display(description="For all rows")
    def answers(self, obj: ImportRun) -> SafeString | str:
        try:
            kind = kinds.import_kind(obj.kind)
        except UnknownKind:
            return "–"
        given = [(kind.label_of(name), value) for name, value in obj.options.items() if value]
        return format_html_join("", "<div>{}: {}</div>", given) or "–"

    @display(description="Uploaded", ordering="created_at")
    def started(self, obj: ImportRun) -> SafeString | str:
        return ago(obj.created_at)

    @display(description="By")
    def requested(self, obj: ImportRun) -> str:
        return obj.requested_by or "–"

    @display(description="Ended")
    def finished(self, obj: ImportRun) -> SafeString | str:
        return ago(obj.finished_at)


class _Echo:
    """A file that is nothing but what is written to it next."""

    def write(self, text: str) -> str:
        return text


def as_csv(rows: Iterable[list[str]]) -> Iterator[str]:
    """Return rows as the lines of a table, formulas neutralised."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([cells.cell(text, neutralises=True) for text in row])
