"""Wake-up calls: sent when something was asked for, and kept from taking every thread of a worker."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any, ParamSpec

from django.conf import settings

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")


def in_turn(threads: int = 1) -> Callable[[Callable[Arguments, None]], Callable[Arguments, None]]:
    """
    Let at most so many threads of a process do this at a time; a call beyond that returns at once.

    For tasks that do whatever is due. A call that finds all turns taken is not lost: one of those at work looks again
    when it has finished. So however many wake-up calls wait, they are soon used up, and no kind of work keeps the
    threads of the worker from the others, not even when a mail service takes half a minute to answer.
    """

    def decorate(work: Callable[Arguments, None]) -> Callable[Arguments, None]:
        turns, is_asked = threading.Semaphore(threads), threading.Event()

        @functools.wraps(work)
        def work_in_turn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            is_asked.set()
            while is_asked.is_set() and turns.acquire(blocking=False):
                try:
                    is_asked.clear()
                    work(*args, **kwargs)
                finally:
                    turns.release()

        return work_in_turn

    return decorate


def wake(task: Any) -> None:
    """Have a task do soon what was just asked for; a call that is lost only makes that begin later."""
    if settings.PUBLISH_WAKE_UPS:
        try:
            task.delay()
        except Exception:
            logger.warning("A wake-up could not be published; the sweeper will find its row.", exc_info=True)
