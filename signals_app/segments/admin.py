"""Segments: audiences described by rows of conditions, with who is in them now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import ProjectScopedAdmin, Textarea, display
from signals_app.core.display import ago, badge, page_link
from signals_app.customers.models import Customer
from signals_app.segments import services
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.fields import Scope
from signals_app.segments.forms import ConditionsField, sentence_of
from signals_app.segments.models import Segment
from signals_app.shopper_signals.constants import Stage

if TYPE_CHECKING:
    SegmentModelForm = forms.ModelForm[Segment]
else:
    SegmentModelForm = forms.ModelForm  # generic for the type checker only

COUNTED_TO = 10_000
"""A list counts a segment no further: beyond, the exact number is on the segment's page."""


class SegmentForm(SegmentModelForm):
    conditions = ConditionsField(
        scope=Scope.PROFILE, label="Profiles for which", help_text="No conditions: everyone in the store."
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
class SegmentAdmin(ProjectScopedAdmin[Segment]):
    names_are_public = True
    form = SegmentForm
    list_display = ("name", "in_words", "profiles_now", "updated")
    search_fields = ("name", "description")
    ordering = ("name",)
    readonly_fields = ("in_words",)
    change_form_outer_after_template = "admin/segments/sample.html"

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        return [(None, {"fields": ("name", "description", "conditions" if may_edit else "in_words")})]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        segment = self.get_object(request, object_id)
        sample = {"sample": sample_context(segment)} if segment else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | sample)

    @display(description="Profiles for which")
    def in_words(self, segment: Segment) -> str:
        return sentence_of(segment.conditions, Scope.PROFILE, empty="Everyone in the store")

    @display(description="Profiles now")
    def profiles_now(self, segment: Segment) -> SafeString | str:
        try:
            found = services.segment_customers(segment=segment, now=timezone.now())
        except InvalidCondition:
            return badge("Needs fixing", "bad")
        count = found.order_by()[: COUNTED_TO + 1].count()
        return f"{count:,}" if count <= COUNTED_TO else f"more than {COUNTED_TO:,}"

    @display(description="Changed", ordering="updated_at")
    def updated(self, segment: Segment) -> SafeString | str:
        return ago(segment.updated_at)


def sample_context(segment: Segment) -> dict[str, Any]:
    """Return how many profiles are in the segment and ten of them, or why that cannot be said."""
    now = timezone.now()
    try:
        found = services.count_and_sample(project=segment.project, tree=segment.conditions, now=now)
    except InvalidCondition as error:
        return {"problem": str(error)}
    ids = [customer.pk for customer in found.customers]
    values = services.profile_values(customer_ids=ids, names=("intent_score", "stage"), now=now)
    return {
        "count": found.count,
        "profiles": [profile_line(customer, values.get(customer.pk, {})) for customer in found.customers],
    }


def profile_line(customer: Customer, values: dict[str, Any]) -> dict[str, Any]:
    score, stage = values.get("intent_score"), values.get("stage")
    return {
        "link": page_link(customer),
        "stage": Stage(stage).label if stage else "–",
        "score": "–" if score is None else f"{score:.0f}",
        "last_seen": ago(customer.last_seen_at),
    }
