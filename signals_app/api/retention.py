"""How long the answers to writes with an `Idempotency-Key` are kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from signals_app.api.idempotency import KEPT_FOR
from signals_app.api.models import IdempotentRequest
from signals_app.core.pruning import Prunable


def _requests(now: datetime) -> Iterable[QuerySet[IdempotentRequest]]:
    return [IdempotentRequest.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")]


PRUNABLES = (
    Prunable(
        "answers to repeated writes", _requests, model=IdempotentRequest, oldest="created_at",
        about="Answers to programs, kept for repeats", kept_for=lambda: "24 hours",
    ),
)  # fmt: skip
