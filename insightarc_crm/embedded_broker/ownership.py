"""
Who holds messages, and is that process still alive?

A consumer owns the messages that it has taken and not yet acknowledged. Its name is a file on which it holds an
exclusive `flock` for as long as it lives; the kernel drops the lock with the process, however the process ends. So a
free lock means a dead owner, at once and without a timeout that a long task could exceed.
"""

from __future__ import annotations

import fcntl
import os
import uuid
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Owner:
    """One consumer's proof of life. The lock is lost to a `fork` without `exec`: do not consume in forked pools."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        while True:
            self.name = uuid.uuid4().hex
            self._path = directory / self.name
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_same_file(self._path, descriptor):
                break
            os.close(descriptor)  # someone took the fresh file for a dead owner's before it was locked
        self._release = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._release()


def is_same_file(path: Path, descriptor: int) -> bool:
    """Say whether `path` still leads to the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def names_on_disk(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()


@contextmanager
def dead(directory: Path, name: str) -> Iterator[bool]:
    """
    Yield whether the owner is dead; if so, its name is kept locked inside the block and removed after it.

    An owner without a file is dead too: a living one made sure that its file is in place before it took anything.
    """
    path = directory / name
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
