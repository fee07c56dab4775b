"""The settings of a connection, and the secret, as forms."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from signals_app.core.admin import NumberInput, PasswordInput, Select, Textarea, TextInput
from signals_app.core.forms import LinesField, ModelForm
from signals_app.projects.models import Project
from signals_app.webhooks import mapping
from signals_app.webhooks.constants import MAPPED, KeepOld, ReplayScope, SignatureForm
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services import SecretReport, Selection, paste_secret
from signals_app.webhooks.validation import check_secret, check_urls

KEPT_FOR = {KeepOld.DAY.value: timedelta(days=1), KeepOld.WEEK.value: timedelta(days=7)}
PARTS = ("paths", "jmespath", "query_parameter")


class SourceForm(ModelForm[WebhookSource]):
    """
    Name, addresses and duplicates window, and for each mapped field three inputs: `email_paths`, `email_jmespath`,
    `email_query_parameter`.
    """

    registered_urls = LinesField(
        label="Registered addresses",
        required=False,
        help_text="One a line, exactly as entered at Insightarc: the signature covers this text, so https or http, "
        "the name and the last slash all count. Empty: our own address.",
        widget=Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    duplicate_window_seconds = forms.IntegerField(
        label="Repeats count within (seconds)",
        min_value=0,
        max_value=7 * 86_400,
        initial=600,
        help_text="The same bytes again within this time are a repeat and trigger nothing. 0: never.",
        widget=NumberInput(),
    )

    signature_form = forms.ChoiceField(
        label="What is signed",
        choices=SignatureForm.choices,
        required=False,
        help_text="Change it only when this page says that a request would have matched in another form: each of the "
        "others protects less. The documented one is accepted in any case.",
        widget=Select(),
    )

    class Meta:
        model = WebhookSource
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "registered_urls" not in self.fields:
            return  # shown to a person who may only look
        self.initial.setdefault("registered_urls", self.instance.registered_urls)
        self.initial.setdefault("signature_form", self.instance.signature_form)
        self.initial.setdefault("duplicate_window_seconds", self.instance.duplicate_window_seconds)
        stored = self.instance.identity_mapping if isinstance(self.instance.identity_mapping, dict) else {}
        for name in MAPPED:
            part = stored.get(name, {})
            paths = part.get("paths", mapping.DEFAULT_PATHS[name])
            self.initial[f"{name}_paths"] = ", ".join(paths)
            self.initial[f"{name}_jmespath"] = part.get("jmespath", "")
            self.initial[f"{name}_query_parameter"] = part.get("query_parameter", "")

    def clean_registered_urls(self) -> list[str]:
        try:
            return check_urls(self.cleaned_data["registered_urls"])
        except InvalidConfiguration as error:
            raise forms.ValidationError(error.message) from error

    def clean_signature_form(self) -> SignatureForm:
        return SignatureForm(self.cleaned_data["signature_form"] or SignatureForm.AS_SENT)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self.identity_mapping: dict[str, Any] = {}
        for name in MAPPED:
            found = self._mapped(name)
            try:
                mapping.compile_mapping({name: found})
            except InvalidConfiguration as error:
                part = error.field.rpartition(".")[2]
                self.add_error(f"{name}_{part if part in PARTS else 'paths'}", error.message)
            if found:
                self.identity_mapping[name] = found
        return data

    def _mapped(self, name: str) -> dict[str, Any]:
        """Return what differs from the defaults."""
        paths = [path for path in re.split(r"[,\s]+", self.cleaned_data.get(f"{name}_paths", "")) if path]
        found: dict[str, Any] = {} if paths == list(mapping.DEFAULT_PATHS[name]) else {"paths": paths}
        for part in PARTS[1:]:
            if value := self.cleaned_data.get(f"{name}_{part}", "").strip():
                found[part] = value
        return found


for mapped, label in MAPPED.items():
    # Fifteen fields that differ by nothing but their names.
    SourceForm.declared_fields[f"{mapped}_paths"] = forms.CharField(
        label=f"{label}: places in the body",
        required=False,
        max_length=2_000,
        help_text="Dotted paths, separated by commas; the first that is there counts.",
        widget=TextInput(attrs={"spellcheck": "false"}),
    )
    SourceForm.declared_fields[f"{mapped}_jmespath"] = forms.CharField(
        label="or a JMESPath", required=False, max_length=1_000, widget=TextInput(attrs={"spellcheck": "false"})
    )
    SourceForm.declared_fields[f"{mapped}_query_parameter"] = forms.CharField(
        label="or a parameter in viewed addresses",
        required=False,
        max_length=100,
        widget=TextInput(attrs={"spellcheck": "false"}),
    )


class SecretForm(forms.Form):
    """The secret goes in and never comes out again."""

    secret = forms.CharField(
        label="Webhook secret",
        max_length=1_000,
        strip=False,
        widget=PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Insightarc: project settings dialog, Webhook tab.",
    )

    keep_old = forms.ChoiceField(
        label="The secrets from before stay valid",
        choices=KeepOld.choices,
        required=False,
        widget=Select(),
        help_text="Signals that are still signed with the old secret are accepted meanwhile.",
    )

    def __init__(self, *args: Any, has_others: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_others:
            del self.fields["keep_old"]

    def clean_secret(self) -> str:
        try:
            return check_secret(self.cleaned_data["secret"])
        except InvalidConfiguration as error:
            raise forms.ValidationError(error.message) from error

    def save(self, *, source: WebhookSource, now: datetime) -> SecretReport:
        kept_for = KEPT_FOR.get(self.cleaned_data.get("keep_old", ""))
        return paste_secret(
            source=source,
            secret=self.cleaned_data["secret"],
            others_expire_at=now + kept_for if kept_for else None,
            now=now,
        )


class ReplayBetweenForm(forms.Form):
    """Between which times what came is to be processed again, on the store's clock."""

    received_from = forms.DateTimeField(label="From", widget=TextInput(attrs={"type": "datetime-local", "step": "1"}))
    received_until = forms.DateTimeField(
        label="To", widget=TextInput(attrs={"type": "datetime-local", "step": "1"}), help_text="The time in the shop."
    )
    source = forms.ModelChoiceField(
        label="Connection", queryset=WebhookSource.objects.none(), required=False, empty_label="All", widget=Select
    )

    def __init__(self, *args: Any, project: Project, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        local = timezone.localtime(now).replace(microsecond=0, tzinfo=None)
        self.fields["received_from"].initial = (local - timedelta(days=1)).isoformat()
        self.fields["received_until"].initial = local.isoformat()
        sources = WebhookSource.objects.filter(project=project)
        if sources.count() > 1:
            self.fields["source"].queryset = sources.order_by("created_at", "pk")  # type: ignore[attr-defined]
        else:
            self.fields["source"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        start, end = data.get("received_from"), data.get("received_until")
        if start and end and start >= end:
            self.add_error("received_until", "Must be later than the beginning.")
        return data

    def selection(self) -> Selection:
        return Selection(
            scope=ReplayScope.EVERYTHING,
            received_from=self.cleaned_data["received_from"],
            received_until=self.cleaned_data["received_until"],
        )
