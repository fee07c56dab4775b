"""What the gateway measures of itself; `docs/operations.md` says what to watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Histogram

ANSWER_SECONDS = Histogram(
    "insightarc_webhook_answer_seconds",
    "Time from a webhook request's first byte in Python to its answer, by what the answer said.",
    ["verdict"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BATCH_SECONDS = Histogram(
    "insightarc_pipeline_batch_seconds",
    "Time from claiming a batch of deliveries to its last commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_SIZE = Histogram(
    "insightarc_pipeline_batch_size", "Deliveries in a batch.", buckets=(1, 5, 20, 50, 100, 200, 500, 1_000, 2_000)
)
PROCESSED = Counter("insightarc_pipeline_deliveries", "Deliveries that left the pipeline, by how.", ["outcome"])


def measured(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return the webhook view with its answers timed and counted by what they say."""
    of_verdict: dict[str, Any] = {}

    def receive(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        began = time.perf_counter()
        response = view(request, *args, **kwargs)
        verdict = _verdict(request, response)
        histogram = of_verdict.get(verdict)
        if histogram is None:
            histogram = of_verdict[verdict] = ANSWER_SECONDS.labels(verdict)
        histogram.observe(time.perf_counter() - began)
        return response

    receive.__dict__.update(view.__dict__)  # such as Django's mark that the view needs no CSRF token
    return receive


def note_batch(seconds: float, *, claimed: int, outcomes: Mapping[str, int]) -> None:
    """Note how long a batch of the pipeline took and what became of it, unless nothing was due."""
    if claimed:
        BATCH_SECONDS.observe(seconds)
        BATCH_SIZE.observe(claimed)
        for outcome, count in outcomes.items():
            PROCESSED.labels(outcome).inc(count)


def _verdict(request: HttpRequest, response: HttpResponseBase) -> str:
    """Return what an answer says, of a fixed set: nothing that a stranger sends can make another series."""
    said = getattr(response, "data", None)
    if isinstance(said, dict):
        return str(said.get("status") or said.get("code"))
    return "probe" if request.method == "HEAD" else str(response.status_code)
