"""Two hosts, each with a web server and a worker of its own, on one database and one broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle

import pytest

from tests.functional.running_program import ROOT, free_port, program, wait_until

BROKER = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL", "")
pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgresql,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker to kill in /proc"),
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgres") or not BROKER.startswith(("redis", "amqp")),
        reason="hosts share a PostgreSQL (DATABASE_URL) and a Redis or RabbitMQ (CELERY_BROKER_URL)",
    ),
]

SHOPPERS = 20
SHARED = {"SECRET_KEY": "the-same-on-every-host" * 3, "FIELD_ENCRYPTION_KEYS": "the-same-on-every-host"}
STORED = """
import json
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks.models import InboxItem, WebhookDelivery
print(json.dumps({
    "mails": list(MailboxMail.objects.values_list("to_email", flat=True)),
    "states": list(EmailMessage.objects.values_list("state", flat=True)),
    "deliveries": [str(pk) for pk in WebhookDelivery.objects.values_list("pk", flat=True)],
    "signals": [str(pk) for pk in ShopperSignal.objects.values_list("pk", flat=True)],
    "inbox": InboxItem.objects.count(),
}))
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Yield two running hosts. The second has neither files nor beat in common with the first."""
    with program(tmp_path_factory.mktemp("first"), **SHARED) as first:
        second = another_host(first, tmp_path_factory.mktemp("second"))
        first.start()
        second.start("--no-beat")
        try:
            yield first, second
        finally:
            second.close_shell()
            if second.is_running():
                second.stop(signal.SIGTERM)


def another_host(first, folder, **settings):
    environment = first.environment | {"DATA_DIR": str(folder / "data")} | settings
    return replace(
        first, folder=folder, port=free_port(), environment=environment, process=None, log_seen=0, shell=None
    )


def email_of(shopper):
    return f"shopper{shopper}@example.com"


def visit(shopper, step):
    """Return the body that fires an example automation, when posted three times with `num_events` rising."""
    return {
        "drop_proba": 0.97,
        "perfomance": 1.4,
        "num_events": 25 + step,
        "num_loops": 1,
        "num_broken_buttons": 0,
        "avg_loops": 1,
        "avg_broken_buttons": 0.1,
        "relevant_events": [{"name": "/products/scarf"}, {"name": "/products/jacket"}, {"name": "/cart"}],
        "email": email_of(shopper),
        "user_id": f"user-{shopper}",
    }


def stored(host):
    return json.loads(host.run_code(STORED))


def test_signals_that_come_to_both_lead_to_one_mail_each_although_a_worker_is_killed(hosts):
    first, second = hosts
    before = set(stored(first)["deliveries"])
    consent = {"channel": "email", "granted": True, "source": "checkout"}
    for shopper in range(SHOPPERS):
        assert first.api("POST", "consent/", consent | {"email": email_of(shopper)})[0] in {200, 201}

    accepted = set()
    for step in range(3):
        turns = zip(cycle(hosts), range(SHOPPERS), strict=False)
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda turn, step=step: turn[0].post_signal(visit(turn[1], step)), turns)
            if step == 1:
                second.kill_worker()
            for status, answer in answers:
                assert (status, answer["status"]) == (200, "accepted")
                accepted.add(answer["id"])

    wait_until(lambda: stored(first)["inbox"] == 0, 180, "the inbox is empty")
    wait_until(lambda: Counter(stored(first)["states"])["sent"] >= SHOPPERS, 180, "a mail is sent to every shopper")
    found = stored(second)
    assert set(found["deliveries"]) == set(found["signals"]) == before | accepted
    assert len(found["signals"]) == len(before) + 3 * SHOPPERS
    assert Counter(found["mails"]) == {email_of(shopper): 1 for shopper in range(SHOPPERS)}
    assert Counter(found["states"]) == {"sent": SHOPPERS}


def test_copies_that_come_to_both_at_once_are_accepted_once(hosts):
    body = visit("copied", 0)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: hosts[number % 2].post_signal(body), range(50)))

    assert {status for status, _ in answers} == {200}
    assert Counter(answer["status"] for _, answer in answers) == {"accepted": 1, "duplicate": 49}
    assert len({answer["id"] for _, answer in answers}) == 1


def test_a_key_made_at_one_host_opens_the_other(hosts):
    first, second = hosts

    assert first.api("GET", "customers/?page_size=1")[0] == second.api("GET", "customers/?page_size=1")[0] == 200


def test_a_host_with_keys_of_its_own_says_so_and_does_not_start(hosts, tmp_path):
    stranger = another_host(hosts[0], tmp_path, SECRET_KEY="", FIELD_ENCRYPTION_KEYS="")
    command = [sys.executable, "manage.py", "run", "--port", str(stranger.port)]

    done = subprocess.run(
        command, cwd=ROOT, env=stranger.environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "FIELD_ENCRYPTION_KEYS (and SECRET_KEY) to what the other hosts use" in done.stderr
    assert "insightarc.W001" in done.stderr
