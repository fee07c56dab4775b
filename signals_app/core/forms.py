"""The base of our forms, and form fields for values that a person writes as plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from signals_app.core.clock import EARLIEST_YEAR, LATEST_YEAR

if TYPE_CHECKING:
    from django.forms import ModelForm
else:

    class ModelForm(forms.ModelForm):
        """Django's model form; the type checker sees a generic class, at run time the parameter means nothing."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


__all__ = ["LinesField", "ModelForm", "check_moment"]


def check_moment(moment: datetime) -> None:
    """
    Refuse a moment that somebody typed and that no clock can say in UTC, or no person means.

    :raises ValidationError: if it is one.
    """
    try:
        year = moment.astimezone(UTC).year
    except OverflowError:
        year = moment.year
    if not EARLIEST_YEAR <= year < LATEST_YEAR:
        raise ValidationError(f"Enter a date between {EARLIEST_YEAR} and {LATEST_YEAR}.")


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
