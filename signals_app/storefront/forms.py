"""The settings of an identity kit, as a person fills them in."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from signals_app.core.admin import RadioSelect, Textarea
from signals_app.core.forms import LinesField, ModelForm
from signals_app.storefront.exceptions import InvalidOrigin
from signals_app.storefront.models import Storefront
from signals_app.storefront.origins import origin_of


class StorefrontForm(ModelForm[Storefront]):
    allowed_origins = LinesField(
        label="Addresses of the shop",
        help_text="One a line, such as https://www.shop.example. Only pages there may call; “www.” and a country's domain "
        "are addresses of their own.",
        widget=Textarea(attrs={"rows": 4}),
    )

    class Meta:
        model = Storefront
        fields = (
            *("is_enabled", "allowed_origins", "accepts_pixel", "consent_mode", "consent_check", "consent_event"),
            *("visitor_global", "visitor_cookie", "visitor_storage", "has_session_links"),
        )
        widgets = {"consent_mode": RadioSelect()}

    def clean_allowed_origins(self) -> list[str]:
        origins = []
        for line in self.cleaned_data["allowed_origins"]:
            try:
                origins.append(origin_of(line))
            except InvalidOrigin as error:
                raise ValidationError(str(error)) from error
        return list(dict.fromkeys(origins))
