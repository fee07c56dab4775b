"""Secrets, addresses and pauses change while signals keep coming: none is refused, none is lost."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from signals_app.webhooks.known_sources import JUST_READ_SECONDS
from signals_app.webhooks.signature import sign
from tests.functional.running_program import SECRET, program, wait_until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="the running program is looked after by /proc"),
]

NEW_SECRET = "whsec_rotated"
NEW_ADDRESS = "https://signals.example.com/moved/"
THREADS = 3
SECONDS_BETWEEN = 0.03
STEP_SECONDS = 1.5
"""Longer than a web process may go on with what it knew of a connection."""

BEGIN = """
import json
from datetime import timedelta
from django.utils import timezone
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import services
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource
source, now = WebhookSource.objects.get(), timezone.now()
"""
PASTE = "services.paste_secret(source=source, secret='{}', others_expire_at=now + timedelta(days=1), now=now)"
REMOVE_OLDEST = "services.remove_secret(source=source, secret_id=source.secrets.earliest('created_at', 'pk').pk)"
SET_ADDRESSES = "services.configure_source(source=source, urls={!r})"
PAUSE = "services.pause(source=source, now=now)"
UNPAUSE = "services.unpause(source=source, now=now)"
COUNT = """
print(json.dumps({
    "deliveries": WebhookDelivery.objects.count(),
    "signals": ShopperSignal.objects.count(),
    "waiting": InboxItem.objects.count(),
}))
"""


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    with program(tmp_path_factory.mktemp("rotation")) as crm:
        crm.start()
        yield crm


class Sender:
    """Posts different bodies without pause, each signed in one of `ways`: pairs of a secret and an address."""

    def __init__(self, crm, *ways):
        self.crm, self.ways = crm, ways
        self.answers = Counter()
        self.failures = []
        self._numbers, self._is_over = itertools.count(time.time_ns()), threading.Event()
        self._lock = threading.Lock()
        self._under_way = {}

    def run(self):
        while not self._is_over.is_set():
            self._under_way[threading.get_ident()] = ways = self.ways
            for secret, url in ways:
                number = next(self._numbers)
                body = json.dumps({"num_events": 1, "drop_proba": 0.1, "number": number}).encode()
                status, answer = self.crm.post_signal(body, signature=sign(secret, body, url))
                with self._lock:
                    self.answers[status, answer.get("status")] += 1
                    if status != 200:
                        self.failures.append((secret, url, status, answer))
            time.sleep(SECONDS_BETWEEN)

    def send(self, *ways):
        """Go on with these ways for a moment; what was begun with others is answered by then."""
        self.ways = ways
        wait_until(lambda: all(used is ways for used in self._under_way.values()), 60, "the older ways are answered")
        time.sleep(STEP_SECONDS)

    @contextmanager
    def sending(self):
        threads = [threading.Thread(target=self.run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()


def change(crm, code):
    printed = crm.run_code(BEGIN + code)
    # Nobody signs with a secret in the very moment in which it is pasted, and what was read just then is not read again.
    time.sleep(2 * JUST_READ_SECONDS)
    return printed


def counts(crm):
    return json.loads(change(crm, COUNT))


def test_no_signal_is_refused_while_the_secret_and_the_address_change(crm):
    before = counts(crm)["deliveries"]
    address = crm.facts["webhook_url"]
    old, new, moved = (SECRET, address), (NEW_SECRET, address), (NEW_SECRET, NEW_ADDRESS)

    with Sender(crm, old).sending() as sender:
        sender.send(old)
        change(crm, PASTE.format(NEW_SECRET))
        sender.send(old, new)
        sender.send(new)
        change(crm, REMOVE_OLDEST)
        sender.send(new)
        change(crm, SET_ADDRESSES.format([address, NEW_ADDRESS]))
        sender.send(new, moved)
        sender.send(moved)
        change(crm, SET_ADDRESSES.format([NEW_ADDRESS]))
        sender.send(moved)

    assert sender.failures == []
    assert set(sender.answers) == {(200, "accepted")}
    assert counts(crm)["deliveries"] - before == sender.answers.total() > 100

    body = b'{"signed with what was taken away": 1}'
    for signature in (sign(secret, body, url) for secret, url in (old, new)):
        wait_until(
            lambda signature=signature: crm.post_signal(body, signature=signature)[0] == 401,
            10,
            "what was taken away is refused",
        )
    change(crm, PASTE.format(SECRET) + "\n" + SET_ADDRESSES.format([address]))


def test_what_comes_while_paused_is_processed_after_it_whatever_races(crm):
    way = (SECRET, crm.facts["webhook_url"])

    with Sender(crm, way).sending() as sender:
        for _ in range(2):
            change(crm, PAUSE)
            sender.send(way)
            # Requests that saw the pause commit while it ends.
            change(crm, UNPAUSE)
            sender.send(way)

    assert sender.failures == []
    assert set(sender.answers) == {(200, "accepted"), (200, "parked")}

    def is_done():
        found = counts(crm)
        return found["waiting"] == 0 and found["signals"] == found["deliveries"]

    wait_until(is_done, 120, "all that came is processed")
