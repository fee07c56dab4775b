"""
Telling the workers that something came, beside the request and never in its way.

A broker that is down or hangs must not delay an answer, so a thread of the web process publishes; it does so at most
four times a second however many requests there are, and forgets a wake-up that fails: the sweeper finds the row. When
the workers are behind they need no waking, and when there are none the broker must not fill up: then it publishes
nothing.

Publishing takes some 2 ms of Python, in which no request of this process goes on: more often it would be what the
slowest of a hundred requests wait for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_WAKE_UPS = 0.25
SECONDS_BETWEEN_LOOKS = 1.0
LONG_WAIT = timedelta(seconds=5)
TASK = "signals_app.webhooks.tasks.process_inbox"
"""By name: the web process publishes it and has no need of the code behind it."""
REPLAY_TASK = "signals_app.webhooks.tasks.continue_replays"


class Waker:
    """One flag and one thread; the flag is what bounds it, since any number of requests raise it once."""

    def __init__(self, publish: Callable[[], object]) -> None:
        self._publish = publish
        self._is_asked = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Have the workers woken soon; return at once."""
        if not self._is_asked.is_set():
            self._is_asked.set()
        if self._thread is None or not self._thread.is_alive():  # not yet started, or lost by a fork
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._is_asked.wait()
            self._is_asked.clear()
            try:
                self._publish()
            except Exception:
                logger.warning("A wake-up could not be published; the sweeper will find its row.", exc_info=True)
            time.sleep(SECONDS_BETWEEN_WAKE_UPS)


class Workers:
    """Are woken unless they are behind, which is asked once a second at most."""

    def __init__(self) -> None:
        self._were_in_time_at = -SECONDS_BETWEEN_LOOKS

    def wake(self) -> None:
        now = time.monotonic()
        if now - self._were_in_time_at >= SECONDS_BETWEEN_LOOKS:
            try:
                are_behind = _are_behind()
            finally:
                connection.close()
            if are_behind:
                time.sleep(SECONDS_BETWEEN_LOOKS)  # whoever asks meanwhile is heard then
                return
            self._were_in_time_at = now
        current_app.send_task(TASK)


def _are_behind() -> bool:
    """Tell whether something has waited for a worker for so long that it, or the sweeper, is the one to go on."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    waiting = InboxItem.objects.filter(free, state=InboxState.PENDING, due_at__lte=now - LONG_WAIT)
    return waiting.order_by("due_at").exists()


_waker = Waker(Workers().wake)
_replay_waker = Waker(lambda: current_app.send_task(REPLAY_TASK))


def wake_workers() -> None:
    """Have the inbox processed soon, without waiting for the broker."""
    if settings.PUBLISH_WAKE_UPS:
        _waker.ask()


def wake_replays() -> None:
    """Have a replay that was just started begin soon, without waiting for the broker."""
    if settings.PUBLISH_WAKE_UPS:
        _replay_waker.ask()
