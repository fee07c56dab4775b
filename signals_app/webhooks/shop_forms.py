"""Connecting a shop at Shopify, as forms; secrets go in and never come out again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from signals_app.core.admin import PasswordInput, Select, TextInput
from signals_app.core.forms import ModelForm
from signals_app.shops import services as shops
from signals_app.shops.exceptions import InvalidConnection
from signals_app.shops.models import ShopConnection
from signals_app.webhooks import services
from signals_app.webhooks.constants import KeepOld
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.forms import KEPT_FOR
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.validation import check_secret

HIDDEN = {"autocomplete": "off", "spellcheck": "false"}


def _secret_field(**more: Any) -> forms.CharField:
    return forms.CharField(
        label="App secret",
        max_length=500,
        widget=PasswordInput(attrs=HIDDEN),
        help_text="At Shopify: Dev Dashboard, your app, Settings, “Client secret” (older apps: “API secret key”).",
        **more,
    )


def _token_field() -> forms.CharField:
    return forms.CharField(
        label="or access token",
        max_length=500,
        required=False,
        widget=PasswordInput(attrs=HIDDEN),
        help_text="Only of apps that show one (shpat_…). Newer apps have a client ID instead.",
    )


def _client_field() -> forms.CharField:
    return forms.CharField(
        label="Client ID",
        max_length=100,
        required=False,
        widget=TextInput(attrs=HIDDEN),
        help_text="Beside the secret. With both, an access token for a day is fetched whenever one is needed.",
    )


class CredentialChecks:
    """Mixed into forms with a client ID and an access token."""

    cleaned_data: dict[str, Any]

    def clean_client_id(self) -> str:
        return self._checked("client_id")

    def clean_access_token(self) -> str:
        return self._checked("access_token")

    def _checked(self, field: str) -> str:
        text = str(self.cleaned_data[field]).strip()
        try:
            shops.check_credential(field, text)
        except InvalidConnection as error:
            raise forms.ValidationError(error.message) from error
        return text


class ShopForm(CredentialChecks, ModelForm[ShopConnection]):
    """A new connection; afterwards its domain stays, and the rest has forms of its own."""

    secret = _secret_field(required=False)
    client_id = _client_field()
    access_token = _token_field()

    class Meta:
        model = ShopConnection
        fields = ("domain",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "domain" in self.fields:
            self.fields["domain"] = forms.CharField(
                label="Shop domain",
                max_length=255,
                widget=TextInput(attrs={"spellcheck": "false", "placeholder": "my-shop.myshopify.com"}),
                help_text="The one that ends in .myshopify.com; Shopify shows it under Settings, Domains.",
            )

    def clean_domain(self) -> str:
        try:
            return shops.shop_domain(self.cleaned_data["domain"])
        except InvalidConnection as error:
            raise forms.ValidationError(error.message) from error

    def clean_secret(self) -> str:
        return checked_secret(self.cleaned_data["secret"]) if self.cleaned_data["secret"] else ""

    def connect(self, *, now: datetime) -> ShopConnection:
        """Store what was typed; :raises InvalidConnection: if a token cannot be one."""
        said = self.cleaned_data
        return services.connect_shop(
            project=self.instance.project,
            domain=said["domain"],
            secret=said["secret"],
            access_token=said["access_token"],
            client_id=said["client_id"],
            now=now,
        )


class ShopSecretForm(forms.Form):
    secret = _secret_field()
    keep_old = forms.ChoiceField(
        label="The secrets from before stay valid",
        choices=KeepOld.choices,
        required=False,
        widget=Select(),
        help_text="Shopify may sign with the old one for up to an hour after you change it.",
    )

    def __init__(self, *args: Any, has_others: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_others:
            del self.fields["keep_old"]

    def clean_secret(self) -> str:
        return checked_secret(self.cleaned_data["secret"])

    def save(self, *, source: WebhookSource, now: datetime) -> None:
        kept_for = KEPT_FOR.get(self.cleaned_data.get("keep_old", ""))
        services.give_secret(
            source=source,
            secret=self.cleaned_data["secret"],
            others_expire_at=now + kept_for if kept_for else None,
            now=now,
        )


class AccessForm(CredentialChecks, forms.Form):
    client_id = _client_field()
    access_token = _token_field()

    def save(self, *, shop: ShopConnection, now: datetime) -> None:
        """Keep them; :raises InvalidConnection: if neither can be one."""
        shops.give_access(
            shop=shop,
            access_token=self.cleaned_data["access_token"],
            client_id=self.cleaned_data["client_id"],
            now=now,
        )


def checked_secret(text: str) -> str:
    try:
        return check_secret(text.strip())
    except InvalidConfiguration as error:
        raise forms.ValidationError(error.message) from error
