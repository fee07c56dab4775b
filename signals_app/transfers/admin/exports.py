"""Exports: ask for a list, see how far it is, download it until it expires."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import ChoicesFilter, ProjectScopedAdmin, display, take_over
from signals_app.core.display import ago, badge, meter
from signals_app.transfers import kinds, services
from signals_app.transfers.admin.forms import ExportForm
from signals_app.transfers.constants import ExportState
from signals_app.transfers.exceptions import FileRefused, UnknownKind
from signals_app.transfers.models import ExportFile
from signals_app.transfers.services.exporting import MOVING
from signals_app.transfers.services.files import delete_exports
from signals_app.transfers.tasks import wake

TONES = {ExportState.DONE.value: "good", ExportState.FAILED.value: "bad"}
DOWNLOAD = "transfers.download_export"
OF_ONE_PERSON = (
    "Everything about one person",
    "No list: what the law gives a person of themselves. An owner downloads it from the profile.",
)


@admin.register(ExportFile)
class ExportFileAdmin(ProjectScopedAdmin[ExportFile]):
    """Lists that were asked for, with personal data in them; whoever may open this page may take them away."""

    when_empty = "Files with your profiles, consents, orders or a segment, to be downloaded for a few days."
    change_form_template = "admin/transfers/moving.html"
    form = ExportForm
    list_display = ("what", "of_what", "state_badge", "progress", "asked", "expires")
    list_display_links = ("what",)
    list_filter = (("state", ChoicesFilter),)
    list_select_related = ("project",)
    search_fields = ("requested_by",)
    search_help_text = "Who asked for it"
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("state_badge", "what", "of_what", "progress", "file", "formulas")}),
        ("Who and when", {"fields": ("asked", "requested", "finished", "expires")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: ExportFile | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_fieldsets(self, request: HttpRequest, obj: ExportFile | None = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": ("kind", "neutralises_formulas")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: ExportFile | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]] if obj else ()

    def get_urls(self) -> list[URLPattern]:
        download: URLPattern = path(
            "<uuid:object_id>/download/",
            self.admin_site.admin_view(self.download),
            name="transfers_exportfile_download",
        )
        return [download, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        context = {
            "title": "Export a list",
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            "explained": [
                *((kind.label, kind.explanation) for kind in kinds.export_kinds() if kind.is_offered),
                OF_ONE_PERSON,
            ],
        }
        return super().add_view(request, form_url, context | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: ExportFile, form: Any, change: bool) -> None:
        made = services.request_export(
            project=obj.project,
            kind=form.cleaned_data["kind"],
            requested_by=request.user.get_username(),
            neutralises_formulas=form.cleaned_data["neutralises_formulas"],
            now=timezone.now(),
        )
        take_over(obj, made)
        wake()

    def response_add(self, request: HttpRequest, obj: ExportFile, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:transfers_exportfile_change", args=[obj.pk]))

    def delete_model(self, request: HttpRequest, obj: ExportFile) -> None:
        delete_exports(ExportFile.objects.filter(pk=obj.pk))

    def download(self, request: HttpRequest, object_id: Any) -> Any:
        """Return the file; only to members of the store who may take lists out."""
        export = self.get_object(request, str(object_id))
        if export is None:
            raise Http404("There is no such export in this store.")
        if not (self.has_view_permission(request, export) and request.user.has_perm(DOWNLOAD)):
            raise PermissionDenied
        try:
            file, name = services.open_export(export=export, now=timezone.now())
        except FileRefused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:transfers_exportfile_change", args=[export.pk]))
        response = FileResponse(file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")
        response["Cache-Control"] = "no-store"
        return response

    def page_context(self, request: HttpRequest, export: ExportFile) -> dict[str, Any]:
        title = f"Export: {self.what(export)}"
        return {"is_moving": export.state in MOVING, "title": title, "show_history": False, "subtitle": None}

    @display(description="List", ordering="kind")
    def what(self, obj: ExportFile) -> str:
        try:
            return kinds.export_kind(obj.kind).label
        except UnknownKind:
            return obj.kind

    @display(description="Of")
    def of_what(self, obj: ExportFile) -> str:
        try:
            return kinds.export_kind(obj.kind).words(obj.project, obj.parameters)
        except UnknownKind:
            return "–"

    @display(description="State", ordering="state")
    def state_badge(self, obj: ExportFile) -> SafeString:
        if obj.state == ExportState.DONE and obj.expires_at <= timezone.now():
            return badge("Expired", "warn")
        return badge(obj.get_state_display(), TONES.get(obj.state, "info"))

    @display(description="Rows")
    def progress(self, obj: ExportFile) -> SafeString | str:
        if obj.state in MOVING and obj.expected:
            return meter(obj.rows, maximum=obj.expected, text=f"{obj.rows:,} of {obj.expected:,}")
        return f"{obj.rows:,}"

    @display(description="File")
    def file(self, obj: ExportFile) -> SafeString | str:
        if obj.problem:
            return obj.problem
        if obj.state != ExportState.DONE:
            return "It can be downloaded here when it is ready; you may leave this page."
        link = reverse("admin:transfers_exportfile_download", args=[obj.pk])
        return format_html('<a class="crm-link" href="{}">Download</a> ({} bytes)', link, f"{obj.size:,}")

    @display(description="Formulas")
    def formulas(self, obj: ExportFile) -> str:
        return "Kept from running in spreadsheets" if obj.neutralises_formulas else "As they are, for a program"

    @display(description="Asked for", ordering="created_at")
    def asked(self, obj: ExportFile) -> SafeString | str:
        return ago(obj.created_at)

    @display(description="By")
    def requested(self, obj: ExportFile) -> str:
        return obj.requested_by or "–"

    @display(description="Ready")
    def finished(self, obj: ExportFile) -> SafeString | str:
        return ago(obj.finished_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, obj: ExportFile) -> SafeString | str:
        return ago(obj.expires_at)
