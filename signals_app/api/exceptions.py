"""The one shape in which the API says no: `{"code", "detail", "errors": {"field": ["..."]}}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from signals_app.core.exceptions import TransientError
from signals_app.customers.exceptions import InvalidInput

NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY
"""Stands in `errors` for what is wrong with the request as a whole."""

BUSY_SECONDS = "2"


class IdempotencyConflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This Idempotency-Key was used for another request."
    default_code = "idempotency_conflict"


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """
    Answer a failed request, or return None for a failure that is ours and has to be seen as such.

    A database that is busy (locked, or a deadlock that was resolved at our cost) is worth another try: 503.
    """
    if isinstance(error, TransientError | OperationalError):
        set_rollback()
        return _response(503, "busy", "Try again in a moment.", headers={"Retry-After": BUSY_SECONDS})
    if isinstance(error, InvalidInput):
        error = exceptions.ValidationError({error.field: [error.message]})
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers = _headers(error)
    if isinstance(error, exceptions.ValidationError):
        errors: dict[str, list[str]] = {}
        for field, message in _flatten(error.detail):
            errors.setdefault(field or NON_FIELD, []).append(message)
        return _response(error.status_code, "invalid", "The request has values that cannot be used.", errors, headers)
    code = getattr(error.detail, "code", error.default_code)
    return _response(error.status_code, code, str(error.detail), headers=headers)


def _response(
    status_code: int,
    code: str,
    detail: str,
    errors: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response({"code": code, "detail": detail, "errors": errors or {}}, status=status_code, headers=headers)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if seconds := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(seconds) + 1)
    return headers


def _flatten(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted field, message); an index of a list is a part of the path, as in "items.0.price"."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = str(name) if not path else f"{path}.{name}"
            yield from _flatten(inner, path if path and name == NON_FIELD else own)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_nested = isinstance(inner, dict | list)
            yield from _flatten(inner, f"{path}.{index}" if is_nested and path else path)
    else:
        yield path, str(detail)
