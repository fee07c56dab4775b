"""Processor time of processes, from /proc: of a server with all that it started, and of PostgreSQL's processes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
SHARED_PROCESSES = ("checkpointer", "background writer", "walwriter", "autovacuum launcher", "io worker")
"""PostgreSQL's processes that work for all databases; they are counted, since they write what was committed."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of processor time; those of children that have ended and were waited for stand apart."""

    own: float
    ended_children: float


def times(pid: int) -> Times:
    """Return the times of a process; :raises FileNotFoundError: if it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(field) * TICK_SECONDS for field in fields[11:15])
    return Times(user + system, children_user + children_system)


def children(pid: int) -> Iterator[int]:
    """Yield the children of a process that run now."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            yield from map(int, (task / "children").read_text().split())
        except FileNotFoundError:
            continue  # a thread that has ended meanwhile


def descendants(pid: int) -> Iterator[int]:
    """Yield a process and all that it and they have started."""
    yield pid
    try:
        for child in list(children(pid)):
            yield from descendants(child)
    except FileNotFoundError:
        return


def seconds_of_tree(pid: int) -> float:
    """Return the processor time of a process, all that it started, and of those of them that have ended."""
    total = 0.0
    for one in descendants(pid):
        try:
            spent = times(one)
        except FileNotFoundError:
            continue
        total += spent.own + spent.ended_children
    return total


def resident_bytes_of_tree(pid: int) -> int:
    """Return the resident memory of a process and all that it started."""
    total = 0
    for one in descendants(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except FileNotFoundError:
            continue
    return total


class PostgresProcessor:
    """
    The processor time of a PostgreSQL on this machine, as far as some of its databases cause it.

    Counted are the backends of these databases and the processes that work for all. Backends that end are added up by
    their parent without saying whose they were: they are counted only while nobody else is connected to the server.
    """

    def __init__(self, backend_pid: int, databases: Collection[str]) -> None:
        """`backend_pid` is that of a connection of ours: its parent is the server."""
        fields = Path(f"/proc/{backend_pid}/stat").read_text().rpartition(")")[2].split()
        self._postmaster = int(fields[1])
        self._databases = databases
        if "postgres" not in Path(f"/proc/{self._postmaster}/comm").read_text():
            raise FileNotFoundError(f"Process {self._postmaster} is not PostgreSQL.")

    def seconds(self) -> float:
        """Return the seconds spent so far; only differences mean something."""
        parent = times(self._postmaster)
        total, is_shared = parent.own, False
        for pid in children(self._postmaster):
            try:
                title = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                spent = times(pid).own
            except FileNotFoundError:
                continue
            if any(name in self._databases for name in title.split()) or any(
                kind in title for kind in SHARED_PROCESSES
            ):
                total += spent
            elif "(" in title:  # a client of another database: "postgres: user database host(port) state"
                is_shared = True
        return total if is_shared else total + parent.ended_children
