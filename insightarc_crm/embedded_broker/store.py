"""The messages and bindings of the embedded broker, in one SQLite file that several processes share."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from insightarc_crm.embedded_broker import ownership

if TYPE_CHECKING:
    from collections.abc import Iterable

# AUTOINCREMENT: a number is never given twice, so a late acknowledgement cannot hit a younger message.
SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    body TEXT NOT NULL,
    owner TEXT,
    deliveries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS message_ready ON message (queue, priority DESC, number) WHERE owner IS NULL;
CREATE INDEX IF NOT EXISTS message_owned ON message (owner) WHERE owner IS NOT NULL;
CREATE TABLE IF NOT EXISTS binding (
    exchange TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    pattern TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (exchange, routing_key, pattern, queue)
);
CREATE TABLE IF NOT EXISTS private_queue (
    queue TEXT PRIMARY KEY,
    owner TEXT NOT NULL
);
"""
BUSY_TIMEOUT_SECONDS = 5.0

Binding = tuple[str, str, str]
"""Routing key, pattern (a regular expression or empty), queue."""


@dataclass(frozen=True)
class TakenMessage:
    number: int
    body: str
    is_redelivered: bool


class MessageStore:
    """
    One broker file. Every method is one autocommitted statement or a short transaction.

    Each thread has a connection of its own. A file that was removed while in use is made again: what was in it were
    wake-up calls, and the sweepers find the rows that they were about.

    :raises sqlite3.Error: from any method when the disk is full or the file cannot be locked in time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owners = path.with_name(f"{path.name}-owners")
        self._local = threading.local()

    def put(self, queue: str, body: str, priority: int) -> None:
        self._execute("INSERT INTO message (queue, body, priority) VALUES (?, ?, ?)", queue, body, priority)

    def take(self, queue: str, owner: str) -> TakenMessage | None:
        """Hand the most urgent, oldest waiting message to `owner`, or return None."""
        if self.size(queue, at_most=1) == 0:
            return None  # an empty poll must not ask for the write lock
        rows = self._execute(
            """
            UPDATE message SET owner = ?, deliveries = deliveries + 1 WHERE number = (
                SELECT number FROM message WHERE queue = ? AND owner IS NULL ORDER BY priority DESC, number LIMIT 1
            ) RETURNING number, body, deliveries
            """,
            owner,
            queue,
        )
        return TakenMessage(rows[0][0], rows[0][1], rows[0][2] > 1) if rows else None

    def acknowledge(self, number: int, owner: str) -> None:
        self._execute("DELETE FROM message WHERE number = ? AND owner = ?", number, owner)

    def release(self, number: int, owner: str) -> None:
        """Put a taken message back in its old place."""
        self._execute("UPDATE message SET owner = NULL WHERE number = ? AND owner = ?", number, owner)

    def size(self, queue: str, at_most: int = -1) -> int:
        rows = self._execute(
            "SELECT count(*) FROM (SELECT 1 FROM message WHERE queue = ? AND owner IS NULL LIMIT ?)", queue, at_most
        )
        return int(rows[0][0])

    def purge(self, queue: str) -> int:
        """Drop the waiting messages and return how many there were."""
        return len(self._execute("DELETE FROM message WHERE queue = ? AND owner IS NULL RETURNING number", queue))

    def bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        self._execute("INSERT OR IGNORE INTO binding VALUES (?, ?, ?, ?)", exchange, routing_key, pattern, queue)

    def bindings(self, exchange: str) -> list[Binding]:
        return self._execute("SELECT routing_key, pattern, queue FROM binding WHERE exchange = ?", exchange)

    def make_private(self, queue: str, owner: str) -> None:
        """Let the queue end with its owner: replies and control messages that nobody will ever read."""
        self._execute("INSERT OR REPLACE INTO private_queue VALUES (?, ?)", queue, owner)

    def delete_queue(self, queue: str) -> None:
        for table in ("message", "binding", "private_queue"):
            self._execute(f"DELETE FROM {table} WHERE queue = ?", queue)  # noqa: S608 - names from the line above

    def forget_owner(self, owner: str) -> int:
        """Put back what the owner held, drop its private queues, and return how many messages wait again."""
        for (queue,) in self._execute("SELECT queue FROM private_queue WHERE owner = ?", owner):
            self.delete_queue(queue)
        return len(self._execute("UPDATE message SET owner = NULL WHERE owner = ? RETURNING number", owner))

    def forget_dead_owners(self, living: Iterable[str]) -> int:
        """Forget every owner whose process is gone; `living` are known to be well. Return how many messages wait again."""
        owners = {name for (name,) in self._execute("SELECT DISTINCT owner FROM message WHERE owner IS NOT NULL")}
        owners |= {name for (name,) in self._execute("SELECT owner FROM private_queue")}
        owners |= ownership.names_on_disk(self.owners)
        released = 0
        for name in owners.difference(living):
            with ownership.dead(self.owners, name) as is_dead:
                if is_dead:
                    released += self.forget_owner(name)
        return released

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._connection().execute(statement, values).fetchall()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.process != os.getpid() or self._local.file != file_identity(self.path):
            connection = connect(self.path)
            self._local.connection = connection
            self._local.process = os.getpid()  # a connection must not be used on the other side of a fork
            self._local.file = file_identity(self.path)
        return connection


@lru_cache(maxsize=8)
def store_at(path: Path) -> MessageStore:
    """Return the process's one store for a file, however many channels use it."""
    return MessageStore(path)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it first if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that switch a new file to WAL at once do not wait for each other, one fails; so they queue here.
    with path.with_name(f"{path.name}-setup").open("w") as setup:
        fcntl.flock(setup, fcntl.LOCK_EX)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last wake-up calls, no rows
        connection.executescript(SCHEMA)
    return connection


def file_identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
