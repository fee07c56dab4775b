"""The broker in trouble: receiving with it as usual, with its port closed, and with it frozen, in turn."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import contenders, posting
from benchmarks.contenders import Bench
from benchmarks.figures import ratio, spread, with_spread
from benchmarks.results import Goal, Section, Table
from benchmarks.servers import free_port, redis_server

NORMAL, DOWN, FROZEN = "as usual", "down (port closed)", "frozen (SIGSTOP)"


def measure(bench: Bench) -> Section:
    rates: dict[str, list[float]] = {NORMAL: [], DOWN: [], FROZEN: []}
    with ExitStack() as running:
        url, redis = running.enter_context(redis_server(bench.folder, "frozen-redis"))
        brokers = {NORMAL: bench.redis_url, DOWN: f"redis://127.0.0.1:{free_port()}/0", FROZEN: url}
        made = contenders.ours(bench, "broker")
        servers = {
            name: running.enter_context(made.serve(bench, REDIS_URL=broker, CELERY_BROKER_URL=broker))
            for name, broker in brokers.items()
        }
        redis.freeze()
        for server in servers.values():
            posting.post(bench, server, count=bench.plan.warm_up)
        for _ in range(bench.plan.broker_rounds):
            for name, server in servers.items():
                posted = posting.saturate(bench, server, seconds=bench.plan.broker_seconds)
                rates[name].append(posted.rate)
    rows = [
        (name, with_spread(spread(found)), with_spread(ratio(found, rates[NORMAL]), "x"))
        for name, found in rates.items()
    ]
    return Section(
        "The broker in trouble",
        tables=[Table(("Broker", "Acknowledged signals/s", "To the usual"), rows)],
        goals=[_goal(name, rates[name], rates[NORMAL]) for name in (DOWN, FROZEN)],
    )


def _goal(name: str, found: list[float], usual: list[float]) -> Goal:
    what = f"Acknowledged signals/s with the broker {name}, to the usual"
    return Goal.at_least(what, ratio(found, usual), 0.9, "x")
