"""Under what conditions a run was made: machine, versions, settings that matter."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

from benchmarks.contenders import PEER_CONCURRENCY, Bench

PACKAGES = (
    *(("Django", "django"), ("Django REST framework", "djangorestframework"), ("Celery", "celery")),
    *(("granian", "granian"), ("psycopg", "psycopg")),
)
POSTGRES_SETTINGS = ("shared_buffers", "synchronous_commit", "fsync", "max_connections")


def found(bench: Bench) -> list[tuple[str, str]]:
    """Return (what, how it is) of everything that a number depends on."""
    is_here = bench.postgres_processor is not None
    chosen = [f"{name} {bench.postgres.ask('postgres', f'SHOW {name}')[0][0]}" for name in POSTGRES_SETTINGS]
    packages = ", ".join(f"{label} {version(package)}" for label, package in PACKAGES)
    return [
        ("Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("Run", f"{bench.plan.name}, {bench.plan.connections} connections"),
        ("Processor", f"{_processor()}, {os.cpu_count()} cores, shared with the load generator"),
        ("Memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("System", f"{platform.system()} {platform.release()}"),
        ("Versions", f"Python {platform.python_version()}, PostgreSQL {bench.postgres.version()}, {packages}"),
        ("PostgreSQL", ", ".join(chosen) + ("" if is_here else "; on another machine: its CPU is not counted")),
        ("Web server", f"{settings.WEB_WORKERS} process(es) of {settings.WEB_THREADS} threads, the same for all"),
        ("Peer's worker", f"{PEER_CONCURRENCY} processes"),
        ("Load before the run", f"{os.getloadavg()[0]:.1f} processes waiting for a core in the last minute"),
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
