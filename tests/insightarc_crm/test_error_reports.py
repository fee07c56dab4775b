"""Reports of errors, as a server of Sentry's protocol receives them from a real process."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

FAILING = """
import logging
import django
django.setup()
import sentry_sdk
from django.test import Client
from django.urls import path
from insightarc_crm import urls
from insightarc_crm.celery import app

def fail(planted):
    try:
        raise ValueError(f"planted {planted} ada@example.com")
    except ValueError as error:
        raise RuntimeError("planted") from error

try:
    fail("planted-variable")
except RuntimeError:
    extra = {"delivery": "018f-1", "address": "bea@example.com"}
    logging.getLogger("signals_app").exception("It failed for %s.", "eve@example.com", extra=extra)

def view(request, token):
    fail(token)

urls.urlpatterns.insert(0, path("fails/<str:token>/", view))
planted = {"authorization": "Bearer planted-key", "cookie": "planted=1"}
Client(raise_request_exception=False).post("/fails/planted-token/?email=planted", {"planted": "body"}, headers=planted)

@app.task(name="fails")
def task(address):
    fail(address)

task.apply(args=["planted@example.com"])
sentry_sdk.flush(10)
"""


class Collector(ThreadingHTTPServer):
    """Takes whatever is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[str] = []


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(gzip.decompress(body).decode())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_reports_say_what_failed_and_where_and_nothing_of_shoppers(collector: Collector) -> None:
    dsn = {"SENTRY_DSN": f"http://public@127.0.0.1:{collector.server_port}/1", "ALLOWED_HOSTS": "testserver"}
    environment = os.environ | dsn | {"DJANGO_SETTINGS_MODULE": "insightarc_crm.settings"}

    subprocess.run([sys.executable, "-c", FAILING], env=environment, capture_output=True, check=True, timeout=60)

    reports = [json.loads(line) for one in collector.taken for line in one.splitlines() if '"exception"' in line]
    assert [[error["type"] for error in one["exception"]["values"]] for one in reports] == [
        ["ValueError", "RuntimeError"]
    ] * 3
    logged, of_view, of_task = reports
    assert logged["extra"] == {"delivery": "018f-1"}
    assert logged["logentry"]["message"] == "It failed for %s."
    assert of_view["transaction"] == "/fails/{token}/"
    assert of_task["transaction"] == "fails"
    functions = [frame["function"] for frame in of_view["exception"]["values"][-1]["stacktrace"]["frames"]]
    assert functions[-2:] == ["view", "fail"]
    for planted in ("planted", "example.com"):
        assert planted not in "".join(collector.taken)
