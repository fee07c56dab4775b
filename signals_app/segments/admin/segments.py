"""Segments: audiences described by rows of conditions, with who is in them now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import ProjectScopedAdmin, Textarea, display, post_action
from signals_app.core.display import ago, badge
from signals_app.core.time_limit import TookTooLong
from signals_app.projects.models import Project
from signals_app.segments import services
from signals_app.segments.admin.editing import TOO_BUSY, EditingViews, audience_answer, count_text
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Scope
from signals_app.segments.forms import ConditionsField, sentence_of
from signals_app.segments.models import Segment
from signals_app.transfers import services as transfers
from signals_app.transfers.exceptions import ParametersRefused
from signals_app.transfers.tasks import wake

if TYPE_CHECKING:
    SegmentModelForm = forms.ModelForm[Segment]
else:
    SegmentModelForm = forms.ModelForm  # generic for the type checker only


class SegmentForm(SegmentModelForm):
    conditions = ConditionsField(
        scope=Scope.PROFILE, label="Profiles for which", help_text="Without conditions: everyone in the store."
    )

    class Meta:
        model = Segment
        fields = ("name", "description", "conditions")
        widgets = {"description": Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(field := self.fields.get("conditions"), ConditionsField):
            field.before = self.instance.conditions


@admin.register(Segment)
class SegmentAdmin(EditingViews, ProjectScopedAdmin[Segment]):
    when_empty = (
        "A segment is a group of profiles that share something, such as everyone about to leave. Automations and "
        "exports use it."
    )

    names_are_public = True
    form = SegmentForm
    list_display = ("name", "in_words", "profiles", "updated")
    search_fields = ("name", "description")
    ordering = ("name",)
    readonly_fields = ("in_words",)
    actions_detail = ("export",)
    change_form_outer_after_template = "admin/segments/sample.html"

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        return [
            (None, {"fields": ("name", "description", "conditions" if self._may_edit(request, obj) else "in_words")})
        ]

    def _may_edit(self, request: HttpRequest, segment: Segment | None) -> bool:
        if segment is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, segment)

    def get_form(self, request: HttpRequest, obj: Segment | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "_count" in request.POST:
            # Shown again as it was filled in, with the number below, and not saved.
            return type("CountedForm", (form,), {"is_valid": lambda self: False})
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        segment = self.get_object(request, object_id) if object_id else None
        if object_id and segment is None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        may_edit = self._may_edit(request, segment)
        sample: dict[str, Any] = {"may_count": may_edit}
        if "_count" in request.POST and may_edit:
            sample |= posted_sample(request)
        elif segment is not None and request.method == "GET":
            sample |= sample_context(segment.project, segment.conditions)
        answer = super().changeform_view(request, object_id, form_url, (extra_context or {}) | {"sample": sample})
        # After the transaction that saved it, which must not wait for a count.
        if (saved := getattr(request, "saved_segment_id", None)) is not None:
            services.count_segment(segment_id=saved, now=timezone.now())
        return answer

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        obj.counted_at = obj.profile_count = None
        super().save_model(request, obj, form, change)
        request.saved_segment_id = obj.pk  # type: ignore[attr-defined]

    @post_action(
        description="Export as CSV",
        question="One line for each profile that is in the segment now: IDs, e-mail address, stage, score, consent and "
        "orders. The file holds personal data; treat it accordingly.",
        permission="segments.export_segment",
        icon="download",
        submit="Export",
    )
    def export(self, request: HttpRequest, segment: Segment) -> HttpResponse | None:
        try:
            made = transfers.request_export(
                project=segment.project,
                kind="segment",
                parameters={"segment": str(segment.pk)},
                requested_by=request.user.get_username(),
                now=timezone.now(),
            )
        except ParametersRefused as error:
            messages.error(request, f"This segment cannot be exported. {error}")
            return None
        wake()
        return HttpResponseRedirect(reverse("admin:transfers_exportfile_change", args=[made.pk]))

    @display(description="Profiles for which")
    def in_words(self, segment: Segment) -> str:
        return sentence_of(segment.conditions, Scope.PROFILE, empty="Everyone in the store")

    @display(description="Profiles", ordering="profile_count")
    def profiles(self, segment: Segment) -> SafeString | str:
        if segment.counted_at is None:
            return "Being counted …"
        if segment.profile_count is None:
            return badge("Needs fixing", "bad")
        number = count_text(segment.profile_count, is_exact=segment.is_count_exact)
        return format_html('{} <span class="crm-quiet">({})</span>', number, ago(segment.counted_at))

    @display(description="Changed", ordering="updated_at")
    def updated(self, segment: Segment) -> SafeString | str:
        return ago(segment.updated_at)


def posted_sample(request: HttpRequest) -> dict[str, Any]:
    """Return how many profiles the posted conditions hold for; nothing when they cannot be read, as the form says."""
    field = SegmentForm.base_fields["conditions"]
    project: Project = request.project  # type: ignore[attr-defined]
    try:
        tree = field.clean(field.widget.value_from_datadict(request.POST, request.FILES, "conditions"))
    except forms.ValidationError:
        return {}
    return sample_context(project, tree) | {"is_unsaved": True}


def sample_context(project: Project, tree: Any) -> dict[str, Any]:
    """Return how many profiles the tree holds for and ten of them, or why that cannot be said."""
    now = timezone.now()
    try:
        found = services.count_and_sample(project=project, tree=tree, now=now)
    except InvalidCondition as error:
        return {"problem": error.message}
    except TookTooLong:
        return {"problem": TOO_BUSY}
    return {"audience": audience_answer(found, now=now)}
