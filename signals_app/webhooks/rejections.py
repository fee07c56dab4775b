"""Requests that did not verify: counted, and a few put aside, never trusted and never able to fill the disk."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from signals_app.core.clock import Now
from signals_app.webhooks import inbox
from signals_app.webhooks.constants import (
    MAX_PUT_ASIDE_BYTES,
    PUT_ASIDE_SECONDS,
    UNCHECKED_KEPT,
    RejectionReason,
)
from signals_app.webhooks.models import SignatureFailure, WebhookSource

MAX_SIGNATURE_LENGTH = 200


def keep_unchecked(source: WebhookSource, body: bytes, signature: str) -> None:
    """
    Keep a request that came before its source has a secret, and of those the newest 50.

    Pasting the secret then checks them, so that a person sees at once whether it is the right one.
    """
    with transaction.atomic():
        _store(source, RejectionReason.NO_SECRET, body, signature)
        kept = SignatureFailure.objects.filter(source=source, reason=RejectionReason.NO_SECRET)
        newest = kept.order_by("-received_at", "-pk").values_list("pk", flat=True)
        if old := list(newest[UNCHECKED_KEPT:]):
            SignatureFailure.objects.filter(pk__in=old).delete()


def note_bad_signature(source: WebhookSource, body: bytes, signature: str) -> None:
    """Count a request whose signature does not match, and put one aside every 10 seconds for diagnosis."""
    as_of = WebhookSource.objects.annotate(as_of=Now()).values_list("as_of", flat=True).get(pk=source.pk)
    with transaction.atomic():
        inbox.count(source.id, RejectionReason.BAD_SIGNATURE, at=as_of)
        put_aside = SignatureFailure.objects.filter(source=source, reason=RejectionReason.BAD_SIGNATURE)
        if (
            len(body) <= MAX_PUT_ASIDE_BYTES
            and not put_aside.filter(received_at__gt=as_of - timedelta(seconds=PUT_ASIDE_SECONDS)).exists()
        ):
            _store(source, RejectionReason.BAD_SIGNATURE, body, signature)


def _store(source: WebhookSource, reason: RejectionReason, body: bytes, signature: str) -> None:
    readable = signature.encode("ascii", "backslashreplace").decode("ascii").replace("\x00", "")
    SignatureFailure.objects.create(source=source, reason=reason, body=body, signature=readable[:MAX_SIGNATURE_LENGTH])
