"""Requests that did not verify: counted, and a few put aside, never trusted and never able to fill the disk."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from signals_app.core.clock import Now
from signals_app.webhooks import inbox
from signals_app.webhooks.constants import (
    EXPLAINED_KEPT,
    FAILURES_KEPT,
    MAX_PUT_ASIDE_BYTES,
    PUT_ASIDE_SECONDS,
    UNCHECKED_KEPT,
    UNEXPLAINED,
    RejectionReason,
)
from signals_app.webhooks.models import SignatureFailure, WebhookSource

MAX_SIGNATURE_LENGTH = 200
MAX_REQUESTED_LENGTH = 2_000
WRITES_A_SECOND = 20
"""Of one source, in one process. A flood of forgeries must not take the database from the requests that verify."""
UNCHECKED_WRITES_A_SECOND = 100
"""Twice what is kept: more would only be written to be overwritten in the same second."""


class FloodGate:
    """Lets so many writes a second through and counts the rest in memory, to be written with the next."""

    def __init__(self, writes_a_second: int = WRITES_A_SECOND) -> None:
        self.writes_a_second = writes_a_second
        self._lock = threading.Lock()
        self._of_source: dict[UUID, tuple[int, int, int]] = {}
        """Source -> (second, writes in it, not yet written)."""

    def pass_one(self, source_id: UUID, *, clock: float) -> int:
        """Return how many rejections to write now, this one included; 0: none, it is kept for later."""
        with self._lock:
            second, writes, unwritten = self._of_source.get(source_id, (0, 0, 0))
            if second != int(clock):
                second, writes = int(clock), 0
            is_open = writes < self.writes_a_second
            self._of_source[source_id] = (second, writes + is_open, 0 if is_open else unwritten + 1)
            return unwritten + 1 if is_open else 0


_gate = FloodGate()
_unchecked_gate = FloodGate(UNCHECKED_WRITES_A_SECOND)


def keep_unchecked(source_id: UUID, body: bytes, signature: str, requested_url: str = "") -> None:
    """
    Count a request that came before its source has a secret, and keep the newest 50 of them.

    Pasting the secret then checks them, so that a person sees at once whether it is the right one.
    """
    rejected = _unchecked_gate.pass_one(source_id, clock=time.monotonic())
    if not rejected:
        return
    as_of = _time_at(source_id)
    with transaction.atomic():
        inbox.count(source_id, RejectionReason.NO_SECRET, at=as_of, by=rejected)
        _store(source_id, RejectionReason.NO_SECRET, body, signature, requested_url)
        _forget_all_but(
            UNCHECKED_KEPT, SignatureFailure.objects.filter(source=source_id, reason=RejectionReason.NO_SECRET)
        )


def note_bad_signature(source_id: UUID, body: bytes, signature: str, requested_url: str = "") -> None:
    """
    Count a request whose signature does not match, and put one aside every 10 seconds for diagnosis.

    Of those put aside the newest 150 stay, and beside them the newest 50 whose signature could be explained, which
    only somebody with the secret can make: forgeries neither fill the disk nor push out what a person has to see.
    """
    rejected = _gate.pass_one(source_id, clock=time.monotonic())
    if not rejected:
        return
    as_of = _time_at(source_id)
    with transaction.atomic():
        inbox.count(source_id, RejectionReason.BAD_SIGNATURE, at=as_of, by=rejected)
        put_aside = SignatureFailure.objects.filter(source=source_id, reason=RejectionReason.BAD_SIGNATURE)
        if (
            len(body) <= MAX_PUT_ASIDE_BYTES
            and not put_aside.filter(received_at__gt=as_of - timedelta(seconds=PUT_ASIDE_SECONDS)).exists()
        ):
            _store(source_id, RejectionReason.BAD_SIGNATURE, body, signature, requested_url)
            _forget_all_but(FAILURES_KEPT, put_aside.filter(diagnosis__in=UNEXPLAINED))
            _forget_all_but(EXPLAINED_KEPT, put_aside.exclude(diagnosis__in=UNEXPLAINED))


def count_refusal(source_id: UUID, reason: RejectionReason) -> None:
    """Count a request that was refused, without keeping any of it."""
    if rejected := _gate.pass_one(source_id, clock=time.monotonic()):
        inbox.count(source_id, reason, at=_time_at(source_id), by=rejected)


def _time_at(source_id: UUID) -> datetime:
    """Return the database's time; :raises WebhookSource.DoesNotExist: if the source is gone."""
    as_of: datetime = WebhookSource.objects.annotate(as_of=Now()).values_list("as_of", flat=True).get(pk=source_id)
    return as_of


def _store(source_id: UUID, reason: RejectionReason, body: bytes, signature: str, requested_url: str) -> None:
    SignatureFailure.objects.create(
        source_id=source_id,
        reason=reason,
        body=body,
        signature=_readable(signature)[:MAX_SIGNATURE_LENGTH],
        # An address that is cut would be another address.
        requested_url=_readable(requested_url) if len(requested_url) <= MAX_REQUESTED_LENGTH else "",
    )


def _readable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\x00", "")


def _forget_all_but(count: int, failures: QuerySet[SignatureFailure]) -> None:
    newest = failures.order_by("-received_at", "-pk").values_list("pk", flat=True)
    if old := list(newest[count:]):
        SignatureFailure.objects.filter(pk__in=old).delete()
