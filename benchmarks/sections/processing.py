"""Processing: signals a second of one worker with few and with many active automations, and its memory."""

from __future__ import annotations

from benchmarks import contenders
from benchmarks.contenders import Bench
from benchmarks.figures import ratio, spread, with_spread
from benchmarks.results import Chart, Goal, Section, Table

SHOPPERS_SHARE = 4
"""Signals of one filling for each shopper."""
AIMED_RULES, MANY_RULES = 20, 200


def measure(bench: Bench) -> Section:
    plan = bench.plan
    rates: dict[int, list[float]] = {rules: [] for rules in plan.rules}
    costs: dict[int, list[float]] = {rules: [] for rules in plan.rules}
    postgres: dict[int, list[float]] = {rules: [] for rules in plan.rules}
    made = contenders.ours(bench, "processing", rules=max(plan.rules))
    with contenders.inside(bench, made.database) as program:
        _drain(bench, program, plan.warm_up)
        for _ in range(plan.pipeline_rounds):
            for rules in plan.rules:
                program.ask("activate", rules=rules)
                before = bench.postgres_seconds()
                found, filling = _drain(bench, program, plan.pipeline_signals)
                rates[rules].append(found["signals"] / found["seconds"])
                costs[rules].append(found["processor_seconds"] / found["signals"] * 1e6)
                postgres[rules].append((bench.postgres_seconds() - before - filling) / found["signals"] * 1e6)
    rows = [
        (
            str(rules),
            with_spread(spread(rates[rules])),
            with_spread(spread(costs[rules])),
            with_spread(spread(postgres[rules])),
        )
        for rules in plan.rules
    ]
    return Section(
        "Processing, one worker process",
        tables=[
            Table(
                ("Active automations", "Signals/s", "Worker CPU µs/signal", "PostgreSQL CPU µs/signal"),
                rows,
                note=f"{plan.pipeline_signals:,} waiting signals drained by the worker's own task, "
                f"{SHOPPERS_SHARE} a shopper; median (lowest to highest round).",
            )
        ],
        charts=[
            Chart(
                "processing",
                "Signals processed a second by active automations",
                "signals/s",
                [(f"{rules} active", spread(rates[rules])) for rules in plan.rules],
            )
        ],
        goals=_goals(rates),
    )


def _drain(bench: Bench, program: contenders.Inside, count: int) -> tuple[dict[str, float], float]:
    """Fill the inbox and drain it; return what draining took, and what filling took of PostgreSQL's time."""
    before = bench.postgres_seconds()
    program.ask("fill", first=bench.numbers(count), count=count, shoppers=max(1, bench.plan.pipeline_signals // 4))
    filling = bench.postgres_seconds() - before
    return program.ask("drain"), filling


def _goals(rates: dict[int, list[float]]) -> list[Goal]:
    goals = []
    if AIMED_RULES in rates:
        what = f"Signals/s of one worker, {AIMED_RULES} automations"
        goals.append(Goal.at_least(what, spread(rates[AIMED_RULES]), 4_000))
    if AIMED_RULES in rates and MANY_RULES in rates:
        what = f"Time of a signal with {MANY_RULES} automations, to {AIMED_RULES}"
        goals.append(Goal.at_most(what, ratio(rates[AIMED_RULES], rates[MANY_RULES]), 2, "x"))
    return goals
