"""Memory: the shipped worker's, while it processes very many signals."""

from __future__ import annotations

import time

from benchmarks import contenders, processor
from benchmarks.contenders import USUAL_RULES, Bench
from benchmarks.figures import number
from benchmarks.results import Goal, Section, Table
from benchmarks.servers import DidNotWork

FILLED_AT_ONCE = 20_000
SHOPPERS = 50_000
SETTLED_SHARE = 0.2
"""After this share of the signals, caches are full and the interpreter's arenas grown: what grows now, grows for ever."""


def measure(bench: Bench) -> Section:
    plan = bench.plan
    made = contenders.ours(bench, "memory", rules=USUAL_RULES)
    done, resident = 0, [(0, 0)]
    with made.work(bench) as worker, contenders.inside(bench, made.database) as program:
        until = time.monotonic() + plan.memory_seconds
        while done < plan.memory_signals and time.monotonic() < until:
            count = min(FILLED_AT_ONCE, max(1, plan.memory_signals // 10))
            program.ask("fill", first=bench.numbers(count), count=count, shoppers=SHOPPERS)
            program.ask("wake")
            made.wait_until_done(bench, worker)
            done += count
            resident.append((done, processor.resident_bytes_of_tree(worker.pid)))
    if bench.postgres.count(made.database, "shopper_signals_shoppersignal") != done:
        raise DidNotWork("Signals were lost between the inbox and their table.")
    return _section(resident, done, plan.memory_signals)


def _section(resident: list[tuple[int, int]], done: int, planned: int) -> Section:
    settled = next(size for signals, size in resident if signals >= SETTLED_SHARE * done)
    last = resident[-1][1]
    growth = (last / settled - 1) * 100
    marks = [resident[round(share * (len(resident) - 1))] for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    rows = [(f"{signals:,}", number(size / 2**20)) for signals, size in dict.fromkeys(marks)]
    return Section(
        "Memory of the worker",
        tables=[Table(("Signals processed", "Resident MiB"), rows)],
        goals=[
            Goal(
                f"Growth of the worker's memory from {SETTLED_SHARE:.0%} of {done:,} signals on",
                "below 5 %",
                f"{growth:.1f} %",
                growth < 5 if done >= planned and planned >= 500_000 else None,
            )
        ],
    )
