"""Posting to a server and reading the meters before and after."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import SECRET, Bench, WebServer
from benchmarks.servers import ROOT, DidNotWork

MOST_A_SECOND = 20_000
"""Numbers reserved for a second of saturation: more than any server here answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One load and what it cost."""

    answered: int
    rate: float
    p50_ms: float
    p99_ms: float
    generator_us: float
    web_seconds: float
    postgres_seconds: float

    @property
    def web_us(self) -> float:
        return self.web_seconds / self.answered * 1e6

    @property
    def postgres_us(self) -> float:
        return self.postgres_seconds / self.answered * 1e6


def saturate(bench: Bench, server: WebServer, *, seconds: float) -> Posted:
    """Post as much as is answered, for so long."""
    return _post(bench, server, reserve=int(seconds * MOST_A_SECOND) + 1, seconds=seconds)


def pace(bench: Bench, server: WebServer, *, seconds: float, rate: float) -> Posted:
    """Post at an even rate, for so long."""
    return _post(bench, server, reserve=int(seconds * rate) + 1, seconds=seconds, rate=rate)


def post(bench: Bench, server: WebServer, *, count: int, first: int | None = None, shoppers: int = 2_000) -> Posted:
    """Post so many signals as fast as they are answered; from number `first` on, if given."""
    return _post(bench, server, reserve=count, seconds=600, most=count, shoppers=shoppers, first=first)


def _post(bench: Bench, server: WebServer, *, reserve: int, **options: Any) -> Posted:
    contender = server.contender
    first = options.pop("first", None)
    given = {
        "port": server.port,
        "path": contender.path,
        "url": contender.url,
        "secret": SECRET,
        "connections": bench.plan.connections,
        "first": bench.numbers(reserve) if first is None else first,
        **options,
    }
    arguments = [f"--{name}={value}" for name, value in given.items() if value is not None]
    kept = contender.kept_count(bench)
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "benchmarks.load", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as generator:
        assert generator.stdin is not None and generator.stdout is not None  # noqa: PT018, S101 - pipes, as asked for
        if generator.stdout.readline() != "ready\n":
            raise DidNotWork(f"The load generator did not start:\n{generator.communicate()[1]}")
        web, postgres = server.process.processor_seconds(), bench.postgres_seconds()
        printed, errors = generator.communicate("go\n")
        web, postgres = server.process.processor_seconds() - web, bench.postgres_seconds() - postgres
    if generator.returncode:
        raise DidNotWork(f"Posting to {contender.name} failed:\n{errors[-2_000:]}\n{server.process.log()[-2_000:]}")
    found = json.loads(printed)
    _check(bench, server, found, kept)
    measured = {name: found[name] for name in ("answered", "rate", "p50_ms", "p99_ms", "generator_us")}
    return Posted(**measured, web_seconds=web, postgres_seconds=postgres)


def _check(bench: Bench, server: WebServer, found: dict[str, Any], kept_before: int) -> None:
    """Check that everything was answered with 2xx, and that everything so answered is in the database."""
    contender = server.contender
    refused = {status: count for status, count in found["statuses"].items() if not status.startswith("2")}
    if refused or not found["answered"]:
        raise DidNotWork(f"{contender.name} answered {found['statuses']}:\n{server.process.log()[-2_000:]}")
    if contender.kept and contender.kept_count(bench) - kept_before != found["answered"]:
        stored = contender.kept_count(bench) - kept_before
        raise DidNotWork(f"{contender.name} acknowledged {found['answered']} signals and stored {stored}.")
