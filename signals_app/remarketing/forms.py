"""The form of an automation, as a marketer fills it in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms

from signals_app.core.admin import NumberInput, Select
from signals_app.remarketing.constants import EntryEvent, RuleAction
from signals_app.remarketing.models import RemarketingRule, RuleVariant
from signals_app.segments.fields import Scope
from signals_app.segments.forms import ConditionsField

if TYPE_CHECKING:
    RuleModelForm = forms.ModelForm[RemarketingRule]
    InlineFormSet = forms.BaseInlineFormSet[RuleVariant, RemarketingRule, forms.ModelForm[RuleVariant]]
else:
    RuleModelForm = forms.ModelForm  # generic for the type checker only
    InlineFormSet = forms.BaseInlineFormSet

UNITS = ((1, "minutes"), (60, "hours"), (24 * 60, "days"))
MAX_MINUTES = 366 * 24 * 60


class DurationWidget(forms.MultiWidget):
    """A number and its unit; kept as minutes."""

    template_name = "django/forms/widgets/multiwidget.html"

    def __init__(self) -> None:
        super().__init__(
            {"": NumberInput(attrs={"min": 0, "class": "duration-number"}), "unit": Select(choices=UNITS)},
            attrs={"class": "duration"},
        )

    def decompress(self, value: Any) -> list[Any]:
        if not isinstance(value, int):
            return [None, 1]
        unit = next((minutes for minutes, _ in reversed(UNITS) if value and value % minutes == 0), 1)
        return [value // unit, unit]


class DurationField(forms.MultiValueField):
    """Minutes, typed as a number of minutes, hours or days."""

    def __init__(self, *, min_value: int = 0, **kwargs: Any) -> None:
        self.min_value = min_value
        number = forms.IntegerField(min_value=0, error_messages={"invalid": "Enter a whole number."})
        unit = forms.TypedChoiceField(choices=UNITS, coerce=int)
        super().__init__(fields=(number, unit), widget=DurationWidget(), require_all_fields=True, **kwargs)

    def compress(self, data_list: Sequence[Any]) -> int | None:
        if not data_list:
            return None
        minutes = int(data_list[0] * data_list[1])
        if minutes < self.min_value:
            raise forms.ValidationError(f"Enter at least {self.min_value} minute.")
        if minutes > MAX_MINUTES:
            raise forms.ValidationError("Enter at most 366 days.")
        return minutes


def hour_field(label: str, *, last: int = 23, help_text: str = "", empty: str = "any time") -> forms.TypedChoiceField:
    """Return a choice of full hours; empty is None."""
    choices = [("", empty), *((hour, f"{hour:02d}:00") for hour in range(last + 1))]
    return forms.TypedChoiceField(
        label=label, choices=choices, coerce=int, empty_value=None, required=False, help_text=help_text, widget=Select()
    )


class RuleForm(RuleModelForm):
    trigger = ConditionsField(
        scope=Scope.SIGNAL,
        offered=(Scope.SIGNAL, Scope.ORDER),
        label="Trigger",
        help_text="What the signal (or order) must say. No conditions: every one starts the automation.",
    )
    audience = ConditionsField(
        scope=Scope.PROFILE,
        label="Profile filters",
        help_text="What must be true of the shopper, at the trigger and again when the mail is due.",
    )
    wait_minutes = DurationField(
        label="Wait", help_text="Counted from the shopper's last signal: a new one starts the wait again."
    )
    max_age_minutes = DurationField(
        label="Too late after", min_value=1, help_text="Counted from the last signal. Later, no mail is sent at all."
    )
    send_from_hour = hour_field("Send from", help_text="In the shopper's time zone, else the store's.")
    send_until_hour = hour_field("Send until", last=24)

    class Meta:
        model = RemarketingRule
        fields = (
            "name",
            "priority",
            "entry_event",
            "trigger",
            "audience",
            "wait_minutes",
            "send_from_hour",
            "send_until_hour",
            "respects_quiet_hours",
            "max_age_minutes",
            "reentry_days",
            "skip_if_ordered_days",
            "holdout_percent",
            "action",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("trigger", "audience"):
            if isinstance(field := self.fields.get(name), ConditionsField):
                field.before = getattr(self.instance, name)
        if isinstance(field := self.fields.get("trigger"), ConditionsField):
            field.use_scope(self._entry_scope())

    def _entry_scope(self) -> Scope:
        entry = self.data.get(self.add_prefix("entry_event")) if self.is_bound else self.initial.get("entry_event")
        return Scope.ORDER if (entry or self.instance.entry_event) == EntryEvent.ORDER else Scope.SIGNAL

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wait, too_late = cleaned.get("wait_minutes"), cleaned.get("max_age_minutes")
        if wait is not None and too_late is not None and too_late <= wait:
            self.add_error("max_age_minutes", "This must be longer than the wait, or no mail would ever be sent.")
        start, end = cleaned.get("send_from_hour"), cleaned.get("send_until_hour")
        if start is not None and start == end:
            self.add_error("send_until_hour", "The send window is empty: choose another hour.")
        return cleaned


class VariantFormSet(InlineFormSet):
    """The variations of an automation; one that sends mails needs at least one."""

    def clean(self) -> None:
        super().clean()
        kept = [
            form.cleaned_data
            for form in self.forms
            if form.is_valid() and form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        if any(not form.is_valid() for form in self.forms):
            return
        names = [data["name"] for data in kept if data.get("name")]
        if len(names) != len(set(names)):
            raise forms.ValidationError("Give each variation a name of its own.")
        if not kept and self.instance.action == RuleAction.SEND_EMAIL:
            raise forms.ValidationError(
                "Choose a template for at least one variation, or set the action to “Measure only”."
            )
