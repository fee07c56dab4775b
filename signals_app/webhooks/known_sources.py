"""
Sources and their secrets as requests need them, read from the database at most once a second.

A request thread so needs no database connection of its own: what it verifies with is here, and what it keeps is
committed by whoever leads (`shared_commit`). Nothing is refused on what may be out of date: before a 401 or a 404 the
source is read again.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection

from signals_app.core.cursors import bound_cursor
from signals_app.webhooks.constants import SignatureForm
from signals_app.webhooks.models import WebhookSource

JUST_READ_SECONDS = 0.05
"""What was read this recently is not read again: a flood of forgeries must not become a flood of queries."""
LONGEST_WAIT_SECONDS = 5.0
"""For another thread that reads; while the database hangs, threads may not wait for their turns one after another."""

LOOK = """
SELECT is_paused, registered_urls, signature_form, duplicate_window_seconds, secret.id, secret.secret, secret.expires_at
FROM webhooks_webhooksource AS source
LEFT JOIN webhooks_webhooksecret AS secret ON secret.source_id = source.id
WHERE source.id = %s
ORDER BY secret.id
"""
"""All that a `KnownSource` is made of."""


@dataclass(frozen=True, slots=True)
class KnownSecret:
    secret: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source as it was `read_at` (seconds of the monotonic clock)."""

    id: UUID
    is_paused: bool
    registered_urls: tuple[str, ...]
    signature_form: SignatureForm
    secrets: tuple[KnownSecret, ...]
    duplicate_window_seconds: int
    read_at: float

    def valid_secrets(self, now: datetime) -> list[str]:
        return [known.secret for known in self.secrets if known.expires_at is None or known.expires_at > now]


class _Read(Protocol):
    @property
    def id(self) -> UUID: ...

    @property
    def read_at(self) -> float: ...


Known = TypeVar("Known", bound=_Read)


class Remembered(ABC, Generic[Known]):
    """One for each process and kind of source; safe for any number of threads."""

    def __init__(self) -> None:
        self._sources: dict[UUID, Known] = {}
        self._reading = threading.Lock()

    @abstractmethod
    def _read_row(self, source_id: UUID, read_at: float) -> Known:
        """Return a source as it is in the database; :raises WebhookSource.DoesNotExist: if there is none."""

    def find(self, source_id: UUID) -> Known:
        """
        Return a source as it is, or was a second ago at most.

        :raises WebhookSource.DoesNotExist: if there is none.
        :raises django.db.Error: if it could not be read, or not within 5 seconds.
        """
        return self._younger_than(settings.WEBHOOK_SOURCE_CACHE_SECONDS, source_id)

    def read_again(self, known: Known) -> Known:
        """Return a source as it is now, for a request that would otherwise be refused."""
        return self._younger_than(min(JUST_READ_SECONDS, settings.WEBHOOK_SOURCE_CACHE_SECONDS), known.id)

    def _younger_than(self, seconds: float, source_id: UUID) -> Known:
        asked_at = time.monotonic()
        known = self._sources.get(source_id)
        # Past half of that time one thread reads again while the others go on with what is known: with all of them
        # waiting for it, a busy source would stand still once a second.
        if known is not None and asked_at - known.read_at < seconds:
            if asked_at - known.read_at < seconds / 2 or not self._reading.acquire(blocking=False):
                return known
        # Otherwise one thread reads for all that ask at the same moment.
        elif not self._reading.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise OperationalError("The source could not be read in time.")
        try:
            known = self._sources.get(source_id)
            if known is None or known.read_at < asked_at:
                known = self._read(source_id)
            return known
        finally:
            self._reading.release()

    def _read(self, source_id: UUID) -> Known:
        read_at = time.monotonic()
        try:
            known = self._read_row(source_id, read_at)
        except WebhookSource.DoesNotExist:
            self._sources.pop(source_id, None)
            raise
        self._sources[source_id] = known
        return known


class KnownSources(Remembered[KnownSource]):
    """Sources of Insightarc."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, list[Any]] = {}
        """What the database said of each source when it was read."""

    def _read_row(self, source_id: UUID, read_at: float) -> KnownSource:
        # Read once a second and more, and hardly ever another than before: the rows are enough to see that, and making
        # models of them takes ten times as long.
        rows, known = _rows_of(source_id), self._sources.get(source_id)
        if not rows:
            raise WebhookSource.DoesNotExist
        if known is not None and rows == self._rows.get(source_id):
            return replace(known, read_at=read_at)
        self._rows[source_id] = rows
        source = WebhookSource.objects.of_insightarc().prefetch_related("secrets").get(pk=source_id)
        return KnownSource(
            id=source.id,
            is_paused=source.is_paused,
            registered_urls=tuple(source.registered_urls),
            signature_form=SignatureForm(source.signature_form),
            secrets=known_secrets(source),
            duplicate_window_seconds=source.duplicate_window_seconds,
            read_at=read_at,
        )


def _rows_of(source_id: UUID) -> list[Any]:
    with bound_cursor(connection) as cursor:
        cursor.execute(LOOK, [WebhookSource._meta.pk.get_db_prep_value(source_id, connection)])
        return list(cursor.fetchall())


def known_secrets(source: WebhookSource) -> tuple[KnownSecret, ...]:
    return tuple(KnownSecret(row.secret, row.expires_at) for row in source.secrets.all())


_known = KnownSources()
find = _known.find
read_again = _known.read_again
