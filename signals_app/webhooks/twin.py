"""Insightarc's twin: posts the signals of simulated shoppers over HTTP, signed as the real sender signs them."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from signals_app.core import http
from signals_app.core.exceptions import TransientError
from signals_app.webhooks import signature, simulation
from signals_app.webhooks.constants import SignatureForm
from signals_app.webhooks.javascript import stringify

ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Where the operator of the simulator may point it: everywhere, this machine above all."""


class ProbeRefused(Exception):
    """HEAD was not answered with 200; the real sender would not create the webhook."""


class Twin:
    """Sends to `post_to` what is signed for `url`, in a form, and counts the answers."""

    def __init__(
        self,
        *,
        url: str,
        secret: str,
        post_to: str,
        api_key: str = "",
        signature_form: SignatureForm = SignatureForm.AS_SENT,
    ) -> None:
        self.url, self.secret, self.post_to, self.api_key = url, secret, post_to, api_key
        self.signature_form = signature_form
        self.answers: Counter[str] = Counter()
        self.counts: Counter[str] = Counter(signals=0, orders=0, consents=0)
        self._told: set[int] = set()

    def probe(self) -> None:
        """
        Ask with HEAD, as Insightarc does when a webhook is created.

        :raises ProbeRefused: unless the answer is 200.
        :raises RequestFailed: if there is none.
        """
        answer = http.request("HEAD", self.post_to, allow_private=ANYWHERE)
        if answer.status_code != 200:
            raise ProbeRefused(f"HEAD {self.post_to} was answered with {answer.status_code}, not 200")

    def send(self, event: simulation.Event) -> None:
        """Post a signal; or, when an API key is there to play the shop too, report an order."""
        if isinstance(event, simulation.Posting):
            if self.api_key and event.shopper.has_consented and event.shopper.number not in self._told:
                self._told.add(event.shopper.number)
                self._report("consent", consent(event.shopper))
            body = self._print(event.body)
            headers = {
                signature.HEADER: signature.sign(self.secret, body, self.url, self.signature_form),
                "Content-Type": "application/json",
            }
            self._post("signals", self.post_to, body, headers)
        elif self.api_key:
            self._report("orders", order(event))

    def _print(self, body: dict[str, Any]) -> bytes:
        if self.signature_form == SignatureForm.STRINGIFIED:
            return json.dumps(body, ensure_ascii=False).encode()  # with spaces, as something on the way may print it
        return stringify(body).encode()

    def _report(self, resource: str, facts: dict[str, Any]) -> None:
        parts = urlsplit(self.post_to)
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        address = f"{parts.scheme}://{parts.netloc}/api/v1/{resource}/"
        self._post("consents" if resource == "consent" else resource, address, stringify(facts).encode(), headers)

    def _post(self, kind: str, address: str, body: bytes, headers: dict[str, str]) -> None:
        self.counts[kind] += 1
        try:
            answer = http.request("POST", address, data=body, headers=headers, allow_private=ANYWHERE)
        except TransientError:
            self.answers["no answer"] += 1
        else:
            self.answers[str(answer.status_code)] += 1


def consent(person: simulation.Shopper) -> dict[str, Any]:
    """Return the body of a sign-up to the newsletter, for the REST API."""
    return {
        "channel": "email",
        "granted": True,
        "source": "newsletter sign-up",
        "email": person.email,
        "external_id": person.user_id,
    }


def order(purchase: simulation.Purchase) -> dict[str, Any]:
    """Return the body of an order, for the REST API."""
    person = purchase.shopper
    known = {"external_id": person.user_id, "email": person.email} if person.is_logged_in else {"email": person.email}
    return known | {
        "order_id": purchase.order_id,
        "total": purchase.total,
        "currency": "EUR",
        "placed_at": purchase.at.isoformat(),
        "items": [
            {"title": product.title, "price": product.price, "quantity": 1, "sku": product.path.rsplit("/", 1)[-1]}
            for product in purchase.products
        ],
    }


def live_events(
    *, shop: simulation.Shop, seed: int, shoppers: int, luck: random.Random, scenario: simulation.Scenario | None
) -> Iterator[simulation.Event]:
    """Yield signals and orders without end, of some shoppers at a time, as if they came now."""
    visits: list[Iterator[simulation.Event]] = []
    while True:
        while len(visits) < min(6, shoppers):
            person = simulation.shopper(luck.randrange(shoppers), seed=seed, shop=shop)
            visits.append(simulation.visit(person, shop=shop, at=datetime.now(UTC), luck=luck, scenario=scenario))
        visit = luck.choice(visits)
        event = next(visit, None)
        if event is None:
            visits.remove(visit)
        else:
            yield replace(event, at=datetime.now(UTC))


def paced(events: Iterator[simulation.Event], *, rate: float, seconds: float, send: Callable[[Any], None]) -> None:
    """Send `rate` events a second for `seconds` (0: until interrupted), on an even beat that catches up when late."""
    begun = time.monotonic()
    for number, event in enumerate(events):
        if seconds and number >= rate * seconds:
            return
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        if seconds and time.monotonic() - begun >= seconds:
            return
        send(event)
