from __future__ import annotations

import math
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

MAX_JSON_DEPTH = 6
MAX_JSON_NODES = 500
MAX_JSON_TEXT = 2_000
MAX_WHOLE_NUMBER = 2**53
"""Above this, JSON numbers are not the same in every language."""


class StrictSerializer(serializers.Serializer[Any]):
    """Refuse what it does not know: a mistyped name must not pass for a missing value."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            own = {name for name, field in self.fields.items() if not field.read_only}
            # A name may hold half a character, which no answer could say.
            unknown = {_sayable(str(name)): ["Unknown name."] for name in data if name not in own}
            if isinstance(data, QueryDict):
                unknown |= {name: ["Given more than once."] for name in data if len(data.getlist(name)) > 1}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


def _sayable(name: str) -> str:
    return name[:100].encode("utf-8", "replace").decode()


class QuerySerializer(StrictSerializer):
    """What every list can be asked."""

    page_size = serializers.IntegerField(min_value=1, max_value=500, required=False, help_text="Rows of a page.")
    cursor = serializers.CharField(
        required=False, max_length=2_000, help_text="From `next` or `previous` of the last answer."
    )
    updated_since = serializers.DateTimeField(
        required=False, help_text="Only what changed since; give `as_of` of the last answer, so that nothing is missed."
    )


class FiniteFloatField(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class TextField(serializers.CharField):
    """Text only; DRF's own field also takes numbers."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ErrorSerializer(serializers.Serializer[Any]):
    """What a refused request is answered."""

    code = serializers.CharField(help_text="A word for programs: `invalid`, `not_found`, `throttled`, ...")
    detail = serializers.CharField(help_text="A sentence for people.")
    errors = serializers.DictField(  # type: ignore[assignment]  # a field is no attribute once the class is made
        child=serializers.ListField(child=serializers.CharField()), help_text="What is wrong with which value."
    )


def check_json(value: Any) -> Any:
    """
    Return a JSON value that every database and program downstream can keep.

    :raises ValidationError: if it is too deep or too large, or holds a NUL, half a character or an endless number.
    """
    nodes = 0
    waiting = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_JSON_NODES or depth > MAX_JSON_DEPTH:
            raise serializers.ValidationError("Too many values, or nested too deep.")
        if isinstance(one, dict):
            waiting += [(inner, depth + 1) for pair in one.items() for inner in pair]
        elif isinstance(one, list):
            waiting += [(inner, depth + 1) for inner in one]
        else:
            _check_scalar(one)
    return value


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > MAX_JSON_TEXT:
            raise serializers.ValidationError(f"A text is longer than {MAX_JSON_TEXT} characters.")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise serializers.ValidationError("A text holds a NUL or half a character.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise serializers.ValidationError("A number is endless.")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_WHOLE_NUMBER:
        raise serializers.ValidationError("A whole number is too large; give it as text.")
