"""The form of an automation, as a marketer fills it in."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import NumberInput, Select, TextInput
from signals_app.customers.constants import MAX_IDENTIFIER_LENGTH
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import RuleAction
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

    def __init__(self) -> None:
        number = NumberInput(attrs={"min": 0})
        super().__init__({"": number, "unit": Select(choices=UNITS)})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return format_html('<div class="duration">{}</div>', super().render(name, value, attrs, renderer))

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


def use_model_defaults(form: forms.ModelForm[Any]) -> None:
    """Let fields that the form declares itself begin with their model's defaults, as the others do."""
    for name, field in form.fields.items():
        if field.initial is None and form.instance._state.adding:
            field.initial = getattr(form.instance, name, None)


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
    next_day_hour = hour_field(
        "Not before the next day at",
        empty="only the wait counts",
        help_text="Waits for this hour of the day after the last signal as well.",
    )
    send_from_hour = hour_field("Send from")
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
            "next_day_hour",
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
        use_model_defaults(self)
        for name in ("trigger", "audience"):
            if isinstance(field := self.fields.get(name), ConditionsField):
                field.before = getattr(self.instance, name)
        if isinstance(field := self.fields.get("trigger"), ConditionsField):
            field.use_scope(self._entry_scope())

    def _entry_scope(self) -> Scope:
        entry = self.data.get(self.add_prefix("entry_event")) if self.is_bound else self.initial.get("entry_event")
        return services.trigger_scope(entry or self.instance.entry_event)

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        for error in services.check_rule(self.instance):
            self.add_error(error.field if error.field in self.fields else None, error.message)


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


class ExplainForm(forms.Form):
    """Which profile and which automation to explain; both of one store."""

    profile = forms.CharField(
        max_length=MAX_IDENTIFIER_LENGTH,
        widget=TextInput(),
        label="Profile",
        help_text="An e-mail address, customer ID, visitor ID, or the profile's own ID.",
    )
    rule = forms.ModelChoiceField(
        RemarketingRule.objects.none(), widget=Select(), label="Automation", empty_label="Choose an automation"
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self.fields["rule"].queryset = RemarketingRule.objects.filter(project=project)  # type: ignore[attr-defined]

    def clean_profile(self) -> Customer:
        said = self.cleaned_data["profile"].strip()
        profiles = Customer.objects.filter(project=self.project)
        found = (
            profiles.filter(identifiers__value__in={said, said.lower()}).order_by("-last_seen_at").first()
            or profiles.filter(email=said.lower()).first()
        )
        if found is None:
            with contextlib.suppress(ValueError):
                found = profiles.filter(pk=UUID(said)).first()
        if found is None:
            raise forms.ValidationError("This store knows nobody by this ID.")
        return found
