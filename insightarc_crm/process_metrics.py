"""
What each process measures of itself, kept where any process of this host can read it.

Several web processes answer on one port and the workers answer on none, so a scrape that asks one process has to find
the numbers of all. prometheus-client does that with mapped files, one a process and kind (its "multiprocess mode").
Two of its habits do not suit us, and are changed here:

- It names the files by process id, which two containers on one volume have in common, and which differs at each start,
  so that files pile up. Ours are numbered places; a process takes the first that no living process holds and counts on
  where the last one stopped. No sum ever falls, and there are as many files as there were processes at once.
- It lets files grow as they are written, and on a full disk the kernel kills whoever does that. Ours have their space
  before they are used; if there is none, a process keeps its numbers to itself.

Processes started by other means than `manage.py run` measure in their own memory.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import struct
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

logger = logging.getLogger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Set for web, worker and beat (`processes.py`); prometheus-client reads it too."""
RESERVED_BYTES = 256 * 1024
"""Of each file: several times what all our series take."""
KINDS = ("counter", "histogram", "gauge_max")


def share() -> None:
    """Share what this process measures with those of this host. Must run before the first metric is made."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    try:
        values.ValueClass = values.MultiProcessValue(_Places(Path(folder)).name)  # type: ignore[no-untyped-call]
    except OSError as error:
        logger.warning("What this process measures stays its own.", extra={"problem": error.strerror})
        values.ValueClass = values.MutexValue
        del os.environ[VARIABLE]


def registry(*more: Collector) -> CollectorRegistry:
    """Return what the processes of this host have measured, and `more`."""
    found = CollectorRegistry()
    if folder := os.environ.get(VARIABLE):
        MultiProcessCollector(found, path=folder)  # type: ignore[no-untyped-call]
    else:
        found.register(REGISTRY)
    for collector in more:
        found.register(collector)
    return found


class _Places:
    """The numbered places of one folder, of which this process holds one, and a forked one another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, str] = {}

    def name(self) -> str:
        """Return the number of the place that this process holds. Asked at each measurement, so it is quick."""
        name = self._held.get(os.getpid())
        return self._take() if name is None else name

    def _take(self) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in itertools.count():
            descriptor = os.open(self._folder / f"{number}.lock", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held for as long as this process lives
            except BlockingIOError:
                os.close(descriptor)
                continue
            break
        for kind in KINDS:
            _reserve(self._folder / f"{kind}_{number}.db")
        self._held = {os.getpid(): str(number)}
        return str(number)


def _reserve(path: Path) -> None:
    """Give a file its space on the disk, and begin anew if a power cut has left it unreadable."""
    if path.exists():
        try:
            list(MmapedDict.read_all_values_from_file(path))  # type: ignore[no-untyped-call]
        except (struct.error, ValueError, RuntimeError):
            path.unlink()
    fresh = path if path.exists() else path.with_suffix(".new")
    with fresh.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, RESERVED_BYTES)
    fresh.rename(path)
