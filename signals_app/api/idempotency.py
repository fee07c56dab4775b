"""
Doing a write once, however often it is asked for.

The key is kept in the transaction that does the write: both happen or neither. Of two requests at the same moment,
the second waits at the unique key for the first to end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from signals_app.api.exceptions import IdempotencyConflict
from signals_app.api.models import IdempotentRequest
from signals_app.projects.models import Project

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
KEPT_FOR = timedelta(hours=24)

Answer = tuple[int, dict[str, Any]]


def once(*, request: Request, project: Project, write: Callable[[], Answer], now: datetime) -> tuple[Answer, bool]:
    """
    Return the status and body of a write, and whether they are those of an earlier request with the same key.

    Without a key the write is simply done. A write that fails leaves no trace, so its key may be used again.

    :raises ValidationError: if the key is not 1 to 255 printable ASCII characters.
    :raises IdempotencyConflict: if the key was used for another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return write(), False
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise ValidationError({HEADER: ["Use 1 to 255 printable ASCII characters."]})
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        IdempotentRequest.objects.filter(project=project, key=key, created_at__lt=now - KEPT_FOR).delete()
        try:
            with transaction.atomic():
                row = IdempotentRequest.objects.create(
                    project=project, key=key, request_sha256=fingerprint, created_at=now
                )
        except IntegrityError:
            earlier = IdempotentRequest.objects.get(project=project, key=key)
            if earlier.request_sha256 != fingerprint:
                raise IdempotencyConflict from None
            return (earlier.status_code, json.loads(earlier.response)), True
        row.status_code, body = write()
        row.response = JSONRenderer().render(body).decode()
        row.save(update_fields=["status_code", "response"])
        return (row.status_code, body), False


def _fingerprint(request: Request) -> str:
    data = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path}\n{data}".encode()).hexdigest()
