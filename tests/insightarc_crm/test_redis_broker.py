"""Redis as the broker, when it stands still for a while: with a real one that is stopped and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.message import Message

from benchmarks.servers import Process, redis_server
from insightarc_crm import redis_broker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, Process]]:
    with redis_server(tmp_path, "redis") as (url, process):
        yield url, process


@pytest.mark.parametrize("answer", ["ack", "requeue", "reject"])
def test_a_worker_goes_on_after_redis_took_no_acknowledgement(redis: tuple[str, Process], answer: str) -> None:
    url, process = redis
    redis_broker.register()
    held: list[Message] = []
    options = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    with Connection(url, transport_options=options) as publishing, Connection(url, transport_options=options) as own:
        queue, producer = Queue("wake-ups"), Producer(publishing)
        consumer = Consumer(own, [queue], callbacks=[lambda body, message: held.append(message)], prefetch_count=1)
        with consumer:
            producer.publish("first", routing_key="wake-ups", declare=[queue])
            own.drain_events(timeout=5)
            process.freeze()
            with pytest.raises(own.recoverable_connection_errors):
                getattr(held[0], answer)()
            process.thaw()
            producer.publish("second", routing_key="wake-ups", retry=True)
            bodies = _bodies_within(own, held)

    assert "second" in bodies


def _bodies_within(connection: Connection, held: list[Message]) -> list[object]:
    with suppress(TimeoutError):
        while len(held) < 2:
            connection.drain_events(timeout=5)
    return [message.payload for message in held]
