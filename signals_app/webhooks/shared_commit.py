"""
Requests that come at the same moment share one commit.

A commit waits for the disk (and on SQLite for the one writer's turn), and takes as long for thirty requests as for
one. So one of the waiting threads leads: it commits for all that wait, gives each its receipt, and passes the lead to
the first of those that came meanwhile. Nobody lingers to gather a larger group: while traffic is low each leads alone,
and while it is high the groups gather during the commit before. Only a leader holds a database connection.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from django.db import Error, InterfaceError, OperationalError

from signals_app.webhooks import inbox

AT_ONCE = 64
LONGEST_WAIT_SECONDS = 5.0


class _Waiting:
    """A request's arrival, and what became of it."""

    __slots__ = ("_is_called", "arrival", "error", "leads", "receipt")

    def __init__(self, arrival: inbox.Arrival) -> None:
        self.arrival = arrival
        self.receipt: inbox.Receipt | None = None
        self.error: Error | None = None
        self.leads = False
        self._is_called = threading.Lock()
        self._is_called.acquire()

    def call(self) -> None:
        """Wake the thread of the request: it is settled, or leads from now on."""
        self._is_called.release()

    def wait(self, seconds: float) -> bool:
        return self._is_called.acquire(timeout=seconds)

    @property
    def is_settled(self) -> bool:
        return self.receipt is not None or self.error is not None


Store = Callable[[Sequence[inbox.Arrival]], list[inbox.Receipt]]


class SharedCommit:
    """One queue and one lead; `keep` is called by many threads. `store` keeps a group in one transaction."""

    def __init__(self, longest_wait_seconds: float = LONGEST_WAIT_SECONDS, *, store: Store | None = None) -> None:
        self._store = store or inbox.keep
        self._queue: deque[_Waiting] = deque()
        self._guard = threading.Lock()
        """Held for moments only, around the queue and the question who leads."""
        self._is_led = False
        self._longest_wait_seconds = longest_wait_seconds

    def keep(self, arrival: inbox.Arrival) -> inbox.Receipt:
        """
        Store a verified request durably and return where.

        :raises django.db.Error: if it was not committed, or is not known to be within 5 seconds.
        """
        mine = _Waiting(arrival)
        self._join(mine)
        if not mine.leads and not mine.wait(self._longest_wait_seconds):
            self._leave(mine)
        if mine.leads and not mine.is_settled:
            self._lead()
        if mine.error is not None:
            raise mine.error
        assert mine.receipt is not None  # noqa: S101 - settled without an error
        return mine.receipt

    def _join(self, mine: _Waiting) -> None:
        with self._guard:
            self._queue.append(mine)
            if not self._is_led:
                self._is_led = mine.leads = True

    def _leave(self, mine: _Waiting) -> None:
        """Stop waiting, unless the thread was called this very moment; what a leader has in hand may yet be kept."""
        with self._guard:
            if mine.leads or mine.is_settled:
                return
            mine.error = OperationalError("The commit takes too long.")
            if mine in self._queue:
                self._queue.remove(mine)

    def _lead(self) -> None:
        with self._guard:
            group = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
        try:
            self._settle(group)
        finally:
            with self._guard:
                self._is_led = bool(self._queue)
                if self._queue:
                    self._queue[0].leads = True
                    self._queue[0].call()
            for waiting in group:
                if not waiting.leads:
                    waiting.call()

    def _settle(self, group: list[_Waiting]) -> None:
        try:
            receipts = self._store([waiting.arrival for waiting in group])
        except Error as error:
            if len(group) > 1 and not isinstance(error, OperationalError | InterfaceError):
                for waiting in group:  # something about one of them: the others must not suffer for it
                    self._settle([waiting])
                return
            for waiting in group:
                waiting.error = error
        else:
            for waiting, receipt in zip(group, receipts, strict=True):
                waiting.receipt = receipt
        finally:
            for waiting in group:
                if not waiting.is_settled:  # something unforeseen, raised in this thread: nobody may wait for ever
                    waiting.error = OperationalError("The request was not committed.")


_shared = SharedCommit()


def keep(arrival: inbox.Arrival) -> inbox.Receipt:
    """Store a verified request durably, together with those of other threads; :raises django.db.Error: if it is not."""
    return _shared.keep(arrival)
