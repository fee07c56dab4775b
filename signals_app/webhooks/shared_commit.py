"""
Requests that come at the same moment share one commit.

A commit waits for the disk (and on SQLite for the one writer's turn), and takes as long for thirty requests as for
one. Whoever gets the turn commits for all that wait; each request still returns only after its own rows are durable.
"""

from __future__ import annotations

import threading
from collections import deque

from django.db import Error, InterfaceError, OperationalError

from signals_app.webhooks import inbox

AT_ONCE = 50


class _Waiting:
    """A request's arrival, and what became of it."""

    def __init__(self, arrival: inbox.Arrival) -> None:
        self.arrival = arrival
        self.receipt: inbox.Receipt | None = None
        self.error: Error | None = None

    @property
    def is_settled(self) -> bool:
        return self.receipt is not None or self.error is not None


class SharedCommit:
    """One queue and one turn; `keep` is called by many threads, each with its own database connection."""

    def __init__(self) -> None:
        self._queue: deque[_Waiting] = deque()
        self._turn = threading.Lock()

    def keep(self, arrival: inbox.Arrival) -> inbox.Receipt:
        """
        Store a verified request durably and return where.

        :raises django.db.Error: if it was not committed.
        """
        mine = _Waiting(arrival)
        self._queue.append(mine)
        while not mine.is_settled:
            with self._turn:
                if not mine.is_settled:
                    self._settle([self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))])
        if mine.error is not None:
            raise mine.error
        assert mine.receipt is not None  # noqa: S101 - settled without an error
        return mine.receipt

    def _settle(self, batch: list[_Waiting]) -> None:
        try:
            receipts = inbox.keep([waiting.arrival for waiting in batch])
        except Error as error:
            if len(batch) > 1 and not isinstance(error, OperationalError | InterfaceError):
                for waiting in batch:  # something about one of them: the others must not suffer for it
                    self._settle([waiting])
                return
            for waiting in batch:
                waiting.error = error
        else:
            for waiting, receipt in zip(batch, receipts, strict=True):
                waiting.receipt = receipt
        finally:
            for waiting in batch:
                if not waiting.is_settled:  # something unforeseen, raised in this thread: nobody may wait for ever
                    waiting.error = OperationalError("The request was not committed.")


_shared = SharedCommit()


def keep(arrival: inbox.Arrival) -> inbox.Receipt:
    """Store a verified request durably, together with those of other threads; :raises django.db.Error: if it is not."""
    return _shared.keep(arrival)
