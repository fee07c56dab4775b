"""End to end: what one signal costs from the socket to the planned match, in all processes that have a part in it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import contenders, posting
from benchmarks.contenders import OURS, TEXTBOOK, USUAL_RULES, Bench, WebServer
from benchmarks.figures import Spread, ratio, spread, with_spread
from benchmarks.results import Chart, Goal, Section, Table
from benchmarks.servers import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds of processor time a signal."""

    web: float
    worker: float
    postgres: float
    rate: float
    """Signals a second, from the first request until the last is processed."""

    @property
    def total(self) -> float:
        return self.web + self.worker + self.postgres


def measure(bench: Bench) -> Section:
    plan = bench.plan
    costs: dict[str, list[Cost]] = {OURS: [], TEXTBOOK: []}
    with ExitStack() as running:
        made = (
            contenders.ours(bench, "end_to_end", rules=USUAL_RULES),
            contenders.textbook(bench, "end_to_end_peer", rules=USUAL_RULES),
        )
        pairs = [(running.enter_context(one.serve(bench)), running.enter_context(one.work(bench))) for one in made]
        for server, worker in pairs:
            posting.post(bench, server, count=plan.warm_up)
            server.contender.wait_until_done(bench, worker)
        for _ in range(plan.end_to_end_rounds):
            first = bench.numbers(plan.end_to_end_signals)  # the same signals for both
            for server, worker in pairs:
                costs[server.contender.name].append(_cost(bench, server, worker, first))
    return _section(costs)


def _cost(bench: Bench, server: WebServer, worker: Process, first: int) -> Cost:
    count = bench.plan.end_to_end_signals
    begun = time.perf_counter()
    web, working, postgres = _meters(bench, server, worker)
    posting.post(bench, server, count=count, first=first)
    server.contender.wait_until_done(bench, worker)
    seconds = time.perf_counter() - begun
    after = _meters(bench, server, worker)
    return Cost(
        web=(after[0] - web) / count * 1e6,
        worker=(after[1] - working) / count * 1e6,
        postgres=(after[2] - postgres) / count * 1e6,
        rate=count / seconds,
    )


def _meters(bench: Bench, server: WebServer, worker: Process) -> tuple[float, float, float]:
    return server.process.processor_seconds(), worker.processor_seconds(), bench.postgres_seconds()


def _section(costs: dict[str, list[Cost]]) -> Section:
    ours, peer = costs[OURS], costs[TEXTBOOK]
    parts = ("web", "worker", "postgres", "total")
    rows = [
        (name, *(with_spread(_of(found, part)) for part in parts), with_spread(_of(found, "rate")))
        for name, found in costs.items()
    ]
    ratios = {part: ratio([getattr(one, part) for one in peer], [getattr(one, part) for one in ours]) for part in parts}
    rows.append(("Peer to this program", *(with_spread(ratios[part], "x") for part in parts), ""))
    return Section(
        f"End to end, {USUAL_RULES} active automations",
        tables=[
            Table(
                ("CPU µs a signal", "Web server", "Worker", "PostgreSQL", "Together", "Signals/s, wall clock"),
                rows,
                note="The same signals for both, posted as fast as they are acknowledged while the worker works.",
            )
        ],
        charts=[
            Chart(
                "end-to-end",
                "Processor time of a signal end to end",
                "µs",
                [(name, _of(found, "total")) for name, found in costs.items()],
            )
        ],
        goals=[Goal.at_least("CPU a signal end to end, peer to this program", ratios["total"], 8, "x")],
    )


def _of(found: list[Cost], part: str) -> Spread:
    return spread([getattr(cost, part) for cost in found])
