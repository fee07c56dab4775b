"""Forms about one shopper, for the page that another room composes."""

from __future__ import annotations

from typing import Any

from django import forms

from signals_app.core.admin import RadioSelect, Select, Textarea, TextInput
from signals_app.customers.constants import Topic


class ConsentForm(forms.Form):
    """What a shopper told somebody of the team about one purpose; `services.record_consent_by_hand` records it."""

    topic = forms.ChoiceField(
        label="Purpose", choices=Topic.choices, initial=Topic.MARKETING, required=False, widget=Select()
    )
    granted = forms.ChoiceField(
        label="The shopper", choices=[("yes", "agreed"), ("no", "refused")], widget=RadioSelect()
    )
    source = forms.CharField(
        label="Where and when they said so", max_length=80, widget=TextInput(), help_text="Such as: by phone, 3 May."
    )
    wording = forms.CharField(
        label="What they were asked",
        required=False,
        max_length=5_000,
        widget=Textarea(attrs={"rows": 3}),
        help_text="The words they agreed to. A yes without them is hard to prove.",
    )

    def said(self) -> dict[str, Any]:
        """Return the values as `record_consent_by_hand` takes them."""
        data = self.cleaned_data
        return {
            "topic": data["topic"] or Topic.MARKETING.value,
            "granted": data["granted"] == "yes",
            "source": data["source"],
            "wording": data["wording"],
        }
