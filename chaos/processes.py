"""Processes and ports of this machine: waiting for them, finding a process's children, a free port."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path


class NotWithinTime(AssertionError):
    """Something that was waited for did not happen in time; the message says what, and for how long."""


def wait_until(condition: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """
    Wait for a condition, asking 20 times a second; `what` ends the sentence "not within 5 s: ...".

    :raises NotWithinTime: if it does not hold in time.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            raise NotWithinTime(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, and those that they have; none if it has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield int(child)
        if is_alive(int(child)):
            yield from descendants(int(child))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
