"""The reads that a program or a person waits for, through Django's test client: no socket, everything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.test import Client

from benchmarks import traffic

WARM_UPS = 3


def measure(*, api_key: str, times: int, shoppers: int) -> dict[str, Any]:
    """
    Return {read: [milliseconds, ...]}, each of another shopper.

    :raises RuntimeError: if a read is not answered with 200.
    """
    client = Client(headers={"authorization": f"Bearer {api_key}", "host": "127.0.0.1"})

    def get(path: str) -> Any:
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path} was answered with {answer.status_code}: {answer.content[:300]!r}")
        return answer.json()

    people = [traffic.shopper_of(number, shoppers=shoppers) for number in range(WARM_UPS + times)]
    found = [get(f"/api/v1/customers/lookup/?external_id=u{person}")["id"] for person in people]
    reads: dict[str, Callable[[int], str]] = {
        "Profile by known ID": lambda place: f"/api/v1/customers/lookup/?external_id=u{people[place]}",
        "Profile with intent": lambda place: f"/api/v1/customers/{found[place]}/intent/",
        "Timeline, first page": lambda place: f"/api/v1/customers/{found[place]}/timeline/",
        "Signals, first page": lambda place: "/api/v1/signals/",
    }
    taken: dict[str, list[float]] = {name: [] for name in reads}
    for place in range(WARM_UPS + times):
        for name, path_of in reads.items():
            begun = time.perf_counter()
            get(path_of(place))
            if place >= WARM_UPS:
                taken[name].append((time.perf_counter() - begun) * 1_000)
    return taken
