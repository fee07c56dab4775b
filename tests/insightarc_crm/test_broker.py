"""A broker that hangs: publishing gives up soon, whether it hangs from the beginning or stops in between."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOUND_SECONDS = 8
BROKER = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL", "")

PUBLISH = """
import sys, time
import django
django.setup()
from celery import current_app
for line in sys.stdin:
    began, error = time.monotonic(), ""
    until = began + float(line)
    while True:
        one = time.monotonic()
        try:
            current_app.send_task("nobody.runs.this", kwargs={"padding": "x" * 20_000})
        except Exception as failed:
            error = type(failed).__name__
        longest = time.monotonic() - one
        if error or time.monotonic() > until:
            break
    print(f"{longest:.2f} {error}", flush=True)
"""


class Proxy:
    """Passes bytes on to a broker, or, without one or after `freeze()`, accepts and stays silent."""

    def __init__(self, target=None):
        self._target = target
        self._is_frozen = target is None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._peers = {}
        self._is_closing = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def freeze(self):
        self._is_frozen = True

    def close(self):
        self._is_closing = True
        self._thread.join()
        for held in [*self._peers, self._listener]:
            held.close()
        self._selector.close()

    def _run(self):
        self._selector.register(self._listener, selectors.EVENT_READ)
        while not self._is_closing:
            for key, _ in self._selector.select(0.1):
                if key.fileobj is self._listener:
                    self._accept()
                elif self._is_frozen:
                    time.sleep(0.05)
                else:
                    self._pass_on(key.fileobj)

    def _accept(self):
        client, _ = self._listener.accept()
        if self._target is None:
            self._peers[client] = client
            return
        broker = socket.create_connection(self._target)
        for one, other in ((client, broker), (broker, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one):
        data = one.recv(65_536)
        if data:
            self._peers[one].sendall(data)
        else:
            self._selector.unregister(one)


@contextlib.contextmanager
def publisher(url, folder):
    """Yield what publishes for so many seconds, or until it fails, and returns how long the last call took."""
    environment = os.environ | {
        "CELERY_BROKER_URL": url,
        "CELERY_QUEUE": "test_hanging_broker",
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "insightarc_crm.settings",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISH],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def publish(seconds):
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
        took, _, error = process.stdout.readline().rstrip("\n").partition(" ")
        return float(took), error

    try:
        yield publish
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}/0", "amqp://guest:guest@127.0.0.1:{port}//"])
def test_a_broker_that_accepts_and_never_answers_holds_a_wake_up_for_seconds(url, tmp_path):
    with contextlib.closing(Proxy()) as silent, publisher(url.format(port=silent.port), tmp_path) as publish:
        for _ in range(2):
            took, error = publish(0)

            assert error == "OperationalError"
            assert took < BOUND_SECONDS


@pytest.mark.skipif(not BROKER.startswith(("redis", "amqp")), reason="no broker that could be frozen")
def test_a_broker_that_stops_in_between_holds_a_wake_up_for_seconds(tmp_path):
    import kombu

    with kombu.Connection(BROKER) as broker:
        address = broker.hostname, broker.port or broker.default_channel.connection.client.port
        with contextlib.closing(Proxy(address)) as proxy:
            url = BROKER.replace(f"{address[0]}:{address[1]}", f"127.0.0.1:{proxy.port}")
            with publisher(url, tmp_path) as publish:
                assert publish(0)[1] == ""

                proxy.freeze()
                took, error = publish(60)

                assert error
                assert took < BOUND_SECONDS
        broker.default_channel.queue_delete("test_hanging_broker")
