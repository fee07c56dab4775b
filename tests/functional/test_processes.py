"""The real processes: signed signals go in over HTTP, one mail a shopper comes out, whatever is killed in between."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaos.processes import descendants, is_alive, wait_until
from tests.functional.running_program import ROOT, program

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker to kill in /proc"),
]

SHOPPERS = 30
MAILBOX = """
import json
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.webhooks.models import InboxItem
print(json.dumps({
    "mails": list(MailboxMail.objects.values_list("to_email", flat=True)),
    "states": list(EmailMessage.objects.values_list("state", flat=True)),
    "inbox": InboxItem.objects.filter(state="PENDING").count(),
}))
"""


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    with program(tmp_path_factory.mktemp("program")) as crm:
        yield crm


@pytest.fixture
def running(crm):
    """Return the running program. Starting it takes seconds, so a test leaves it as it is, running or ended."""
    if not crm.is_running():
        crm.start()
    return crm


def email_of(shopper):
    return f"shopper{shopper}@example.com"


def visit(shopper, step):
    """Return the body that must fire an example automation, when posted three times with `num_events` rising."""
    return {
        "drop_proba": 0.97,
        "perfomance": 1.4,
        "num_events": 25 + step,
        "num_loops": 1,
        "num_broken_buttons": 0,
        "avg_loops": 1,
        "avg_broken_buttons": 0.1,
        "relevant_events": [
            {"name": "/products/wool-scarf"},
            {"name": "/products/rain-jacket"},
            {"name": "/cart"},
        ],
        "email": email_of(shopper),
        "user_id": f"user-{shopper}",
    }


def stored(crm):
    return json.loads(crm.run_code(MAILBOX))


def consent(crm, shopper):
    data = {"email": email_of(shopper), "channel": "email", "granted": True, "source": "checkout"}
    return crm.api("POST", "consent/", data)[0]


def test_every_shopper_gets_one_mail_although_the_worker_is_killed(running):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda shopper: consent(running, shopper), range(SHOPPERS)))
    assert set(answers) <= {200, 201}

    for step in range(3):
        with ThreadPoolExecutor(4) as pool:
            posted = pool.map(lambda shopper, step=step: running.post_signal(visit(shopper, step)), range(SHOPPERS))
            running.kill_worker()
            assert {status for status, _ in posted} == {200}
    wait_for_mails(running)
    # What a killed worker held comes back when its lease has run out; it must not bring a second mail.
    wait_until(lambda: stored(running)["inbox"] == 0, 180, "the inbox is empty")

    found = stored(running)
    assert Counter(found["mails"]) == {email_of(shopper): 1 for shopper in range(SHOPPERS)}
    assert Counter(found["states"]) == {"sent": SHOPPERS}


def wait_for_mails(crm):
    def all_sent():
        time.sleep(0.5)
        _, page = crm.api("GET", "messages/?page_size=100")
        return Counter(message["state"] for message in page["results"])["sent"] >= SHOPPERS

    wait_until(all_sent, 180, f"{SHOPPERS} mails are sent; the log ends with:\n{crm.log()[-3000:]}")


class TestTheWebhookOfTheRealServer:
    def test_takes_a_signed_body_in_chunks(self, running):
        assert running.post_signal(visit("chunked", 0), chunks=5)[0] == 200

    def test_answers_a_client_that_waits_for_100_continue(self, running):
        assert running.call("POST", "/livez", b"x" * 2000, {"Expect": "100-continue"})[0] in {200, 403, 405}

    @pytest.mark.parametrize("chunks", [0, 7])
    def test_refuses_a_wrong_signature(self, running, chunks):
        assert running.post_signal(visit("forged", 0), signature="bm90IHRoZSBzaWduYXR1cmU=", chunks=chunks)[0] == 401

    @pytest.mark.parametrize("chunks", [0, 30])
    def test_refuses_a_body_that_is_too_long(self, running, chunks):
        assert running.post_signal(b"x" * 300_000, chunks=chunks)[0] == 413

    @pytest.mark.parametrize(
        "garbage", [b"", b"\x00\xff", b"[]", b"{", b'{"a":' * 2000, b"\xef\xbb\xbf{}", b'{"drop_proba":1e400}']
    )
    def test_keeps_signed_garbage_and_never_fails(self, running, garbage):
        assert running.post_signal(garbage)[0] in {200, 400}

    def test_answers_the_probe(self, running):
        assert running.call("HEAD", running.facts["webhook_path"]) == (200, b"")


class TestStopping:
    def test_ctrl_c_ends_every_process_and_a_second_run_goes_on(self, running):
        body = visit("stopping", 0)
        _, accepted = running.post_signal(body)

        assert running.stop(signal.SIGINT) == 0

        running.start()
        assert running.post_signal(body) == (200, {"id": accepted["id"], "status": "duplicate"})

    def test_killing_the_parent_ends_every_process(self, running):
        children = list(descendants(running.process.pid))

        running.process.kill()

        wait_until(lambda: not any(map(is_alive, children)), 90, "all child processes are gone")
        running.process.wait()

    def test_a_taken_port_is_said_and_not_fought_for(self, crm):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            command = [sys.executable, "manage.py", "run", "--port", port]
            done = subprocess.run(
                command, cwd=ROOT, env=crm.environment, capture_output=True, text=True, check=False, timeout=60
            )

        assert done.returncode == 1
        assert f"Something else listens on 127.0.0.1:{port}" in done.stderr
