"""
What a durable acknowledgement takes at least on this machine: one row, inserted and committed, beside a load.

No web server that acknowledges what is committed can answer sooner than the database commits, so this is the floor of
its tail, however it is written.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.servers import PostgresServer

ROW_BYTES = 600
"""About a signal's body."""


@contextmanager
def beside(postgres: PostgresServer, *, rate: float) -> Iterator[list[float]]:
    """Commit `rate` rows a second, one after the other, while the block runs; yield how many ms each has taken."""
    database = postgres.create("commits")
    postgres.ask(database, "CREATE TABLE bare (body bytea)")
    taken: list[float] = []
    is_over = threading.Event()

    def commit() -> None:
        with psycopg.connect(postgres.url_of(database), autocommit=True) as connection:
            body, due_at = os.urandom(ROW_BYTES), time.perf_counter()
            while not is_over.wait(max(0.0, due_at - time.perf_counter())):
                begun = time.perf_counter()
                connection.execute("INSERT INTO bare VALUES (%s)", (body,), prepare=True)
                taken.append((time.perf_counter() - begun) * 1_000)
                due_at = max(due_at + 1 / rate, begun)

    thread = threading.Thread(target=commit, name="commits")
    thread.start()
    try:
        yield taken
    finally:
        is_over.set()
        thread.join()
        postgres.drop(database)
