"""Processing: signals a second of one worker process with few and with many active automations, in turn."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import contenders
from benchmarks.contenders import USUAL_RULES, Bench, Inside
from benchmarks.figures import Spread, ratio, spread, with_spread
from benchmarks.results import Chart, Goal, Section, Table
from benchmarks.traffic import SIGNALS_A_SHOPPER

MANY_RULES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What it took to process a full inbox."""

    rate: float
    worker_us: float
    postgres_us: float
    """Microseconds of processor time a signal."""


def measure(bench: Bench) -> Section:
    plan = bench.plan
    of: dict[int, list[Drained]] = {rules: [] for rules in plan.rules}
    made = contenders.ours(bench, "processing")
    with contenders.inside(bench, made.database) as program:
        _drain(bench, program, plan.warm_up)
        for _ in range(plan.pipeline_rounds):
            for rules in plan.rules:
                contenders.activate(bench, made, rules=rules)
                of[rules].append(_drain(bench, program, plan.pipeline_signals))
    rows = [
        (str(rules), *(with_spread(_spread(found, name)) for name in ("rate", "worker_us", "postgres_us")))
        for rules, found in of.items()
    ]
    return Section(
        "Processing, one worker process",
        tables=[
            Table(
                ("Active automations", "Signals/s", "Worker CPU µs/signal", "PostgreSQL CPU µs/signal"),
                rows,
                note=f"{plan.pipeline_signals:,} waiting signals drained by the worker's own task, "
                f"{SIGNALS_A_SHOPPER} a shopper; median (lowest to highest round).",
            )
        ],
        charts=[
            Chart(
                "processing",
                "Signals processed a second, by active automations",
                "signals/s",
                [(f"{rules} active", _spread(found, "rate")) for rules, found in of.items()],
            )
        ],
        goals=_goals({rules: [one.rate for one in found] for rules, found in of.items()}),
    )


def _drain(bench: Bench, program: Inside, count: int) -> Drained:
    shoppers = max(1, bench.plan.pipeline_signals // SIGNALS_A_SHOPPER)
    program.ask("fill", first=bench.numbers(count), count=count, shoppers=shoppers)
    before = bench.postgres_seconds()
    found = program.ask("drain")
    return Drained(
        rate=found["signals"] / found["seconds"],
        worker_us=found["processor_seconds"] / found["signals"] * 1e6,
        postgres_us=(bench.postgres_seconds() - before) / found["signals"] * 1e6,
    )


def _spread(found: list[Drained], name: str) -> Spread:
    return spread([getattr(one, name) for one in found])


def _goals(rates: dict[int, list[float]]) -> list[Goal]:
    goals = []
    if USUAL_RULES in rates:
        what = f"Signals/s of one worker, {USUAL_RULES} automations"
        goals.append(Goal.at_least(what, spread(rates[USUAL_RULES]), 4_000))
    if USUAL_RULES in rates and MANY_RULES in rates:
        what = f"Time of a signal with {MANY_RULES} automations, to {USUAL_RULES}"
        goals.append(Goal.at_most(what, ratio(rates[USUAL_RULES], rates[MANY_RULES]), 2, "x"))
    return goals
