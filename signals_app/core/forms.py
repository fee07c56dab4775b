"""The base of our forms, and form fields for values that a person writes as plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from django.forms import ModelForm
else:

    class ModelForm(forms.ModelForm):
        """Django's model form; the type checker sees a generic class, at run time the parameter means nothing."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


__all__ = ["JsonObjectField", "LinesField", "ModelForm"]


class LinesField(forms.CharField):
    """A list of texts, one a line. Spaces around a line and empty lines do not count; nothing else is changed."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(line) for line in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        text = super().to_python(value) or ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def run_validators(self, value: Any) -> None:
        for line in value:
            super().run_validators(line)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data or ""))


class JsonObjectField(forms.CharField):
    """A JSON object, written and read in the order in which a person wrote it."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        text = super().to_python(value)
        if not text:
            return {}
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValidationError("Not valid JSON: %(error)s", params={"error": str(error)}) from error
        if not isinstance(found, dict):
            raise ValidationError("Write a JSON object: {…}.")
        return found
