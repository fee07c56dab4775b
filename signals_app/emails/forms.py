"""The form of a template: what is wrong is said at the field where it is wrong."""

from __future__ import annotations

from typing import Any

from signals_app.core.forms import ModelForm
from signals_app.emails import services
from signals_app.emails.mjml_compiler import compile_mjml
from signals_app.emails.models import EmailTemplate


class EmailTemplateForm(ModelForm[EmailTemplate]):
    """Refuses a template that could not be sent, and compiles one that can."""

    class Meta:
        model = EmailTemplate
        fields = ("name", "subject", "preheader", "mjml", "coupon_pool")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        texts = {name: cleaned.get(name, "") for name in ("subject", "preheader", "mjml")}
        if not self.errors:
            problems = services.template_problems(EmailTemplate(**texts))
            for field, messages in problems.items():
                for message in messages:
                    self.add_error(field, message)
            if not problems:
                self.instance.compiled_html = compile_mjml(texts["mjml"])
        return cleaned
