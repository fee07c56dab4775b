"""What waits where, second by second, for whoever reads the logs of a run that went wrong."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

SECONDS_BETWEEN = 1.0
WAITING = """
    SELECT (SELECT count(*) FROM webhooks_inboxitem WHERE state = 'PENDING'),
           (SELECT count(*) FROM remarketing_rulematch WHERE state = 'planned' AND due_at <= now()),
           (SELECT count(*) FROM emails_emailmessage WHERE state IN ('queued', 'retry') AND due_at <= now()),
           (SELECT count(*) FROM emails_emailmessage WHERE state = 'sending')
"""
COLUMNS = ("inbox", "matches", "mails", "sending")


@dataclass
class Sampler:
    """A thread that writes one line a second: {"at": "14:05:01", "inbox": 3, ..., "messages": 12}; null: no answer."""

    path: Path
    database_url: str
    broker: redis.Redis
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()

    def _run(self) -> None:
        with self.path.open("a", encoding="utf-8") as lines:
            while not self._stopping.wait(SECONDS_BETWEEN):
                sample = {"at": time.strftime("%H:%M:%S"), **self._rows(), **self._messages()}
                lines.write(json.dumps(sample) + "\n")
                lines.flush()

    def _rows(self) -> dict[str, int | None]:
        try:
            with psycopg.connect(self.database_url, connect_timeout=2) as database:
                row = database.execute(WAITING).fetchone()
        except psycopg.OperationalError:
            row = None
        return dict(zip(COLUMNS, row or [None] * len(COLUMNS), strict=True))

    def _messages(self) -> dict[str, int | None]:
        """Return how many messages wait in the broker and how many are in work."""
        try:
            return {"messages": _number(self.broker.llen("celery")), "in_work": _number(self.broker.hlen("unacked"))}
        except redis.exceptions.RedisError:
            return {"messages": None, "in_work": None}


def _number(answer: object) -> int:
    """The client's types allow for an asynchronous answer, which this client never gives."""
    assert isinstance(answer, int)
    return answer
