"""What the real web server does with bodies that come in unusual ways, and what the real program logs."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from signals_app.webhooks.constants import MAX_BODY_BYTES
from signals_app.webhooks.signature import sign
from tests.functional.running_program import SECRET, command_line, descendants, program, wait_until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory and processes from /proc"),
]

PLANTED = "planted-7f3a"
QUIET = {
    "PYTHONWARNINGS": "ignore",
    "SECRET_KEY": "long-enough-for-a-test" * 3,
    "FIELD_ENCRYPTION_KEYS": "of-this-test",
}
"""Settings with which `manage.py run` itself has nothing to warn of, in words that are no JSON."""


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    with program(tmp_path_factory.mktemp("web"), LOG_FORMAT="json", **QUIET) as crm:
        crm.start()
        yield crm


class Connection:
    """A raw connection, for what an HTTP library would not send."""

    def __init__(self, crm):
        self.crm = crm
        self.socket = socket.create_connection(("127.0.0.1", crm.port), timeout=20)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.reader.close()
        self.socket.close()

    def head(self, body, **headers):
        """Send the head of a webhook request that is signed for `body`."""
        given = {
            "Host": f"127.0.0.1:{self.crm.port}",
            "x-insightarc-signature": sign(SECRET, body, self.crm.facts["webhook_url"]),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.send(f"POST {self.crm.facts['webhook_path']} HTTP/1.1\r\n{lines}\r\n".encode())

    def send(self, data):
        self.socket.sendall(data)

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def status(self):
        """Read the head of an answer and return its status; None if the server hung up."""
        return self._head()[0]

    def answer(self):
        """Read a whole answer and return its status and what it says."""
        status, length = self._head()
        return status, json.loads(self.reader.read(length))["status"]

    def _head(self):
        line, length = self.reader.readline(), 0
        while (header := self.reader.readline()) not in {b"\r\n", b""}:
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return (int(line.split()[1]) if line else None), length


def body_of(text):
    return json.dumps({"drop_proba": 0.5, "user_id": text}).encode()


class TestBodies:
    def test_a_client_that_waits_for_100_continue_is_told_to_go_on(self, crm):
        body = body_of("expecting")
        with Connection(crm) as connection:
            connection.head(body, Content_Length=len(body), Expect="100-continue")
            assert connection.status() == 100

            connection.send(body)

            assert connection.status() == 200

    def test_a_client_that_sends_without_waiting_for_100_is_answered_too(self, crm):
        body = body_of("impatient")
        with Connection(crm) as connection:
            connection.head(body, Content_Length=len(body), Expect="100-continue")
            connection.send(body)
            statuses = [connection.status()]
            if statuses == [100]:
                statuses.append(connection.status())

        assert statuses[-1] == 200

    def test_chunks_of_one_byte_are_put_together(self, crm):
        body = body_of("crumbs")
        with Connection(crm) as connection:
            connection.head(body, Transfer_Encoding="chunked")
            for byte in body:
                connection.chunk(bytes([byte]))
            connection.send(b"0\r\n\r\n")

            assert connection.status() == 200

    def test_two_requests_on_one_connection_are_told_apart(self, crm):
        first, second = body_of("kept"), body_of("alive")
        with Connection(crm) as connection:
            connection.head(first, Transfer_Encoding="chunked")
            connection.chunk(first)
            connection.send(b"0\r\n\r\n")
            assert connection.answer() == (200, "accepted")

            connection.head(second, Content_Length=len(second))
            connection.send(second)

            assert connection.answer() == (200, "accepted")

    def test_a_declared_gigabyte_is_refused_before_it_is_sent(self, crm):
        with Connection(crm) as connection:
            connection.head(b"", Content_Length=1_000_000_000)

            assert connection.status() == 413

    def test_an_endless_stream_is_cut_and_memory_stays_flat(self, crm):
        piece = b"x" * 65_536
        crm.post_signal(b"x" * MAX_BODY_BYTES)  # as much as ever is held at once
        before = web_memory(crm)

        def stream(number):
            sent = 0
            with Connection(crm) as connection:
                connection.head(b"", Transfer_Encoding="chunked")
                with contextlib.suppress(ConnectionError):
                    while sent < 8_000_000:
                        connection.chunk(piece)
                        sent += len(piece)
                with contextlib.suppress(ConnectionError):
                    return sent, connection.status()
            return sent, None

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(stream, range(12)))

        assert {status for _, status in answers} <= {413, None}
        assert any(status == 413 for _, status in answers) or all(sent < 8_000_000 for sent, _ in answers)
        assert web_memory(crm) - before < 24_000_000

    def test_bodies_that_trickle_in_do_not_hold_the_others(self, crm):
        with contextlib.ExitStack() as stack:
            for number in range(8):
                connection = stack.enter_context(Connection(crm))
                connection.head(body_of(f"slow {number}"), Content_Length=100)
                connection.send(b"{")

            began = time.monotonic()
            statuses = {crm.post_signal(body_of(f"quick {number}"))[0] for number in range(10)}

            assert statuses == {200}
            assert time.monotonic() - began < 10

    def test_a_body_that_breaks_off_is_kept_nowhere(self, crm):
        body = body_of("broken off")
        with Connection(crm) as connection:
            connection.head(body, Content_Length=len(body))
            connection.send(body[:-1])
        with Connection(crm) as connection:
            connection.head(body, Transfer_Encoding="chunked")
            connection.chunk(body[:-1])

        assert crm.post_signal(body)[1]["status"] == "accepted"

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
    def test_a_compressed_body_is_refused_with_415(self, crm, encoding):
        body = body_of("compressed")
        with Connection(crm) as connection:
            connection.head(body, Content_Length=len(body), Content_Encoding=encoding)
            connection.send(body)

            assert connection.status() == 415

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_the_probe_is_never_redirected(self, crm, scheme):
        headers = {
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Host": "elsewhere.example",
        }

        assert crm.call("HEAD", crm.facts["webhook_path"], headers=headers) == (200, b"")
        assert crm.call("HEAD", crm.facts["webhook_path"].rstrip("/"), headers=headers) == (200, b"")


class TestMetrics:
    def test_what_web_and_worker_did_is_told_by_the_web_server(self, crm):
        crm.post_signal(body_of("measured"))

        def is_told():
            status, text = crm.call("GET", "/metrics")
            return (
                status == 200
                and b'insightarc_webhook_answer_seconds_count{verdict="accepted"}' in text
                and b'insightarc_pipeline_deliveries_total{outcome="processed"}' in text
                and b"insightarc_task_last_success_timestamp_seconds{task=" in text
            )

        wait_until(is_told, 60, "the worker's numbers are told")

    def test_a_visitor_behind_a_proxy_finds_nothing(self, crm):
        assert crm.call("GET", "/metrics", headers={"X-Forwarded-For": "127.0.0.1"}) == (404, b"")


class TestLogs:
    def test_nothing_planted_comes_out_whatever_fails(self, crm):
        """Plant a text wherever a stranger can, make the program fail in the request and in the worker, and look."""
        headers = {
            "x-insightarc-signature": f"{PLANTED}-signature",
            "Authorization": f"Bearer {PLANTED}-key",
            "Cookie": f"sessionid={PLANTED}-cookie",
            "User-Agent": f"{PLANTED}-agent",
            "X-Request-ID": f"{PLANTED}-request",
            "Content-Type": f"{PLANTED}-type",
        }
        body = json.dumps({"user_id": f"{PLANTED}-id", "email": f"{PLANTED}@example.com", PLANTED: PLANTED}).encode()
        crm.call("POST", crm.facts["webhook_path"], body, headers)
        crm.call("POST", f"/webhooks/insightarc/{PLANTED}/", body, headers)
        crm.call("GET", f"/api/v1/customers/?email={PLANTED}%40example.com", None, headers)
        crm.call("POST", "/admin/login/", f"username={PLANTED}&password={PLANTED}", headers)
        crm.call("GET", "/livez", None, headers | {"Host": f"{PLANTED}.example.com"})
        crm.post_signal(f'{{"user_id": "{PLANTED}", '.encode())
        crm.post_signal(PLANTED.encode() + b"\xff\x00")

        with without_column(crm, "customers_identifier", "kind"):
            assert crm.post_signal(body)[0] == 200
            data = {"external_id": f"{PLANTED}-x", "email": f"{PLANTED}-2@example.com"}
            assert crm.call("POST", "/api/v1/identify/", json.dumps(data), as_program(crm))[0] in {500, 503}
            wait_until(lambda: "A delivery could not be processed." in crm.log(), 60, "the worker's failure is logged")
        with without_column(crm, "webhooks_webhookdelivery", "content_type"):
            assert crm.post_signal(body + b" ")[0] == 503
            wait_until(lambda: "could not be stored" in crm.log(), 30, "the web server's failure is logged")

        assert PLANTED not in crm.log()

    def test_every_line_is_an_object_and_failures_name_their_request(self, crm):
        lines = [json.loads(line) for line in crm.log().splitlines()]

        assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
        assert all(line["request"] for line in lines if line["logger"] == "signals_app.webhooks.views")


@contextlib.contextmanager
def without_column(crm, table, column):
    """Make the database refuse everything that needs a column."""
    rename = "from django.db import connection as c; c.cursor().execute('ALTER TABLE {} RENAME COLUMN {} TO {}')"
    crm.run_code(rename.format(table, column, f"{column}_away"))
    try:
        yield
    finally:
        crm.run_code(rename.format(table, f"{column}_away", column))


def as_program(crm):
    return {"Authorization": f"Bearer {crm.facts['api_key']}", "Content-Type": "application/json"}


def web_memory(crm):
    """Return the bytes of memory that the processes of the web server hold."""
    pids = [pid for pid in descendants(crm.process.pid) if "insightarc_crm.web_server" in command_line(pid)]
    assert pids
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * 4096
