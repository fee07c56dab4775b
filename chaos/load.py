"""The load: shoppers whose signals are posted as a sender would post them that tries again until it is answered."""

from __future__ import annotations

import hashlib
import http.client
import json
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.ledger import Ledger, Posting
from signals_app.webhooks.signature import HEADER, sign

SIGNALS_A_VISIT = 3
GIVE_UP_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 2.0
TIMEOUT_SECONDS = 30.0
RETRIED = frozenset({503})
LEAVING: dict[str, Any] = {
    "drop_proba": 0.97,
    "perfomance": 1.4,
    "num_events": 25,
    "num_loops": 1,
    "num_broken_buttons": 0,
    "avg_loops": 1,
    "avg_broken_buttons": 0.1,
    "relevant_events": [{"name": "/products/wool-scarf"}, {"name": "/products/rain-jacket"}, {"name": "/cart"}],
}
DEAD_CLICK = LEAVING | {"num_broken_buttons": 3}
HESITATING = LEAVING | {
    "num_loops": 4,
    "relevant_events": [{"name": "/products/wool-scarf"}, {"name": "/cart"}, {"name": "/products/wool-scarf"}],
}


@dataclass(frozen=True)
class Address:
    """Where the program is reached and what its sender knows."""

    ports: Sequence[int]
    webhook_path: str
    webhook_url: str
    secret: str
    api_key: str


@dataclass
class Sender:
    """Posts signals and calls the API, at whichever web server answers."""

    address: Address
    ledger: Ledger

    def post(self, shopper: str, body: dict[str, Any], *, luck: random.Random) -> Posting:
        """Post a signal with a body of its own until it is answered; return what became of it."""
        posting, raw = self.prepare(shopper, body, luck=luck)
        until = time.monotonic() + GIVE_UP_SECONDS
        pause = 0.1
        while not self.attempt(posting, raw, port=luck.choice(self.address.ports)) and time.monotonic() < until:
            time.sleep(pause * luck.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return posting

    def prepare(self, shopper: str, body: dict[str, Any], *, luck: random.Random) -> tuple[Posting, bytes]:
        token = f"{luck.getrandbits(96):024x}"
        whole = body | {"user_id": shopper, "email": email_of(shopper), "token": token}
        raw = json.dumps(whole, separators=(",", ":")).encode()
        posting = Posting(token, hashlib.sha256(raw).digest(), email_of(shopper), time.time())
        with self.ledger.lock:
            self.ledger.postings.append(posting)
        return posting, raw

    def attempt(self, posting: Posting, raw: bytes, *, port: int) -> bool:
        """Post once and return whether there is nothing to try again."""
        signature = sign(self.address.secret, raw, self.address.webhook_url)
        headers = {"Content-Type": "application/json", HEADER: signature}
        is_first, began = not posting.answers and not posting.broken, time.monotonic()
        try:
            status, answer = _call(port, "POST", self.address.webhook_path, raw, headers)
        except (OSError, http.client.HTTPException):
            with self.ledger.lock:
                posting.broken += 1
            return False
        with self.ledger.lock:
            posting.answers.append((status, str(answer.get("id", "")), str(answer.get("status", ""))))
            posting.ended_at = time.time()
            if is_first and status == 200:
                posting.first_seconds = time.monotonic() - began
        return status not in RETRIED

    def consent(self, shopper: str, *, granted: bool, luck: random.Random) -> bool:
        """Record consent, or its withdrawal, trying until it is answered; return whether it was."""
        said = {"email": email_of(shopper), "channel": "email", "granted": granted, "source": "checkout"}
        data = json.dumps(said).encode()
        headers = {"Authorization": f"Bearer {self.address.api_key}", "Content-Type": "application/json"}
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            try:
                status, _ = _call(luck.choice(self.address.ports), "POST", "/api/v1/consent/", data, headers)
            except (OSError, http.client.HTTPException):
                status = 0
            if status in {200, 201}:
                if not granted:
                    with self.ledger.lock:
                        self.ledger.withdrawn[email_of(shopper)] = time.time()
                return True
            time.sleep(0.3)
        return False


@dataclass
class Load:
    """A crowd of shoppers, `rate` signals a second, each shopper in turn visiting, some withdrawing their consent."""

    sender: Sender
    rate: float
    seed: int
    threads: int = 12
    withdrawing_share: float = 0.15
    prefix: str = "shopper"
    _queue: queue.Queue[int | None] = field(default_factory=lambda: queue.Queue(maxsize=4))
    _stopping: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        threads = [threading.Thread(target=self._pace, name="pace", daemon=True)]
        threads += [
            threading.Thread(target=self._visit_all, name=f"sender {n}", daemon=True) for n in range(self.threads)
        ]
        self._running = threads
        for thread in threads:
            thread.start()

    def stop(self) -> None:
        """Let the visits that have begun come to their end, and return when they have."""
        self._stopping.set()
        for thread in self._running:
            thread.join()

    def _pace(self) -> None:
        luck, number = random.Random(f"{self.seed}/pace"), 0
        while not self._stopping.is_set():
            time.sleep(luck.expovariate(self.rate / SIGNALS_A_VISIT))
            number += 1
            try:
                self._queue.put(number, timeout=0.2)
            except queue.Full:
                continue  # every sender waits for an answer: nothing new is begun
        for _ in range(self.threads):
            self._queue.put(None)

    def _visit_all(self) -> None:
        while (number := self._queue.get()) is not None:
            visit(
                self.sender,
                f"{self.prefix}-{number}",
                random.Random(f"{self.seed}/{self.prefix}/{number}"),
                self.withdrawing_share,
            )


def visit(sender: Sender, shopper: str, luck: random.Random, withdrawing_share: float) -> None:
    """Post a visit's signals, which ask for a mail; some shoppers then take their consent back, at any moment."""
    if not sender.consent(shopper, granted=True, luck=luck):
        return
    body = luck.choice((LEAVING, LEAVING, DEAD_CLICK, HESITATING))
    for step in range(SIGNALS_A_VISIT):
        sender.post(shopper, body | {"num_events": 25 + step}, luck=luck)
        time.sleep(luck.uniform(0, 0.1))
    if luck.random() < withdrawing_share:
        time.sleep(luck.expovariate(2.0))
        sender.consent(shopper, granted=False, luck=luck)
        sender.post(shopper, DEAD_CLICK, luck=luck)


def at_once(jobs: Sequence[Callable[[], Any]]) -> None:
    """Run jobs in as many threads, which begin together."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> None:
        gate.wait()
        job()

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def email_of(shopper: str) -> str:
    return f"{shopper}@example.com"


def _call(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = {}
    return response.status, answer if isinstance(answer, dict) else {}
