"""
What is known of each task: its name in the log lines that it causes, when it last ran well, how long it took.

A silent beat or worker is noticed by when a task last ran.
"""

from __future__ import annotations

import time
from typing import Any

from celery import signals
from prometheus_client import Counter, Gauge, Histogram

from insightarc_crm import logs

RUNS = Histogram(
    "insightarc_task_seconds", "Time that a task took.", ["task"], buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120)
)
FAILURES = Counter("insightarc_task_failures", "Tasks that ended with an error.", ["task"])
LAST_SUCCESS = Gauge(
    "insightarc_task_last_success_timestamp_seconds",
    "When a task last ended without an error.",
    ["task"],
    multiprocess_mode="max",
)
BEGAN = "insightarc_began"


def connect() -> None:
    """Have Celery report the beginning and end of each task."""
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid="task_reports")
    signals.task_postrun.connect(_end, weak=False, dispatch_uid="task_reports")
    signals.worker_init.connect(_start_worker, weak=False, dispatch_uid="task_reports")


def _start_worker(**kwargs: Any) -> None:
    logs.log_uncaught()


def _begin(task_id: str, task: Any, **kwargs: Any) -> None:
    logs.TASK.set((task.name, task_id))
    setattr(task.request, BEGAN, time.perf_counter())


def _end(task: Any, state: str | None = None, **kwargs: Any) -> None:
    logs.TASK.set(("", ""))
    RUNS.labels(task.name).observe(time.perf_counter() - getattr(task.request, BEGAN, time.perf_counter()))
    if state == "SUCCESS":
        LAST_SUCCESS.labels(task.name).set(time.time())
    else:
        FAILURES.labels(task.name).inc()
