"""Frequency limits and quiet hours: one page a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin

from signals_app.core.admin import ProjectSingletonAdmin
from signals_app.remarketing.forms import hour_field, use_model_defaults
from signals_app.remarketing.models import SendPolicy

if TYPE_CHECKING:
    PolicyModelForm = forms.ModelForm[SendPolicy]
else:
    PolicyModelForm = forms.ModelForm  # generic for the type checker only


class SendPolicyForm(PolicyModelForm):
    quiet_from_hour = hour_field(
        "Quiet from", empty="no quiet hours", help_text="In the shopper's time zone, else the store's."
    )
    quiet_until_hour = hour_field("Quiet until", empty="no quiet hours")

    class Meta:
        model = SendPolicy
        fields = ("max_per_day", "max_per_week", "quiet_from_hour", "quiet_until_hour")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_model_defaults(self)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("quiet_from_hour"), cleaned.get("quiet_until_hour")
        if "quiet_from_hour" in cleaned and "quiet_until_hour" in cleaned and (start is None) != (end is None):
            missing = "quiet_until_hour" if end is None else "quiet_from_hour"
            self.add_error(missing, "Choose both hours, or neither for no quiet hours.")
        elif start is not None and start == end:
            self.add_error("quiet_until_hour", "Quiet all day long: no mail would ever be sent.")
        day, week = cleaned.get("max_per_day"), cleaned.get("max_per_week")
        if day and week and week < day:
            self.add_error("max_per_week", "A week's limit cannot be below the day's.")
        return cleaned


@admin.register(SendPolicy)
class SendPolicyAdmin(ProjectSingletonAdmin[SendPolicy]):
    names_are_public = True
    form = SendPolicyForm
    fieldsets = (
        (
            "Frequency limits",
            {
                "fields": ("max_per_day", "max_per_week"),
                "description": "Across all automations of the store, for each shopper.",
            },
        ),
        (
            "Quiet hours",
            {
                "fields": ("quiet_from_hour", "quiet_until_hour"),
                "description": "Mails that come due in the quiet hours wait for their end.",
            },
        ),
    )
