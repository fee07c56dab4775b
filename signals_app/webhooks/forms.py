"""The settings of a connection, and the secret, as forms."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from signals_app.core.admin import NumberInput, PasswordInput, Select, Textarea, TextInput
from signals_app.core.forms import LinesField, ModelForm
from signals_app.webhooks import mapping
from signals_app.webhooks.constants import MAPPED, SignatureForm
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services import SecretReport, paste_secret
from signals_app.webhooks.validation import check_secret, check_urls

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

    def clean_secret(self) -> str:
        try:
            return check_secret(self.cleaned_data["secret"])
        except InvalidConfiguration as error:
            raise forms.ValidationError(error.message) from error

    def save(self, *, source: WebhookSource, now: Any) -> SecretReport:
        return paste_secret(source=source, secret=self.cleaned_data["secret"], now=now)
