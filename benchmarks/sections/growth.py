"""Growth: the same work and the same reads with few and with very many stored signals, in turn."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from benchmarks import contenders
from benchmarks.contenders import USUAL_RULES, Bench, Contender, Inside
from benchmarks.figures import Spread, ratio, spread, with_spread
from benchmarks.results import Goal, Section, Table
from benchmarks.traffic import SIGNALS_A_SHOPPER

PIPELINE = "Processing a signal"
PIPELINE_PROCESSOR = "Processing a signal, CPU of worker and PostgreSQL"


def measure(bench: Bench) -> Section:
    sizes = bench.plan.sizes
    taken: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as running:
        programs = {
            size: (made, running.enter_context(contenders.inside(bench, made.database)))
            for size, made in _stored(bench).items()
        }
        for turn in range(bench.plan.growth_rounds + 1):
            for size, (made, program) in programs.items():
                found = _round(bench, made, program)
                if turn:  # the first warms up
                    for name, milliseconds in found.items():
                        taken.setdefault(name, {one: [] for one in sizes})[size].append(milliseconds)
    rows = [
        (name, *(with_spread(spread(of_size[size])) for size in sizes), with_spread(_growth(of_size, sizes), "x"))
        for name, of_size in taken.items()
    ]
    rows_stored = ("ms", *(f"{size:,} signals" for size in sizes), f"{sizes[-1]:,} to {sizes[0]:,}")
    return Section(
        "Growth",
        tables=[
            Table(
                rows_stored,
                rows,
                note="Reads go through the whole REST API without its socket; median (lowest to highest round).",
            )
        ],
        goals=[_goal(name, of_size, sizes) for name, of_size in taken.items()],
    )


def _stored(bench: Bench) -> dict[int, Contender]:
    """Make one database for each size: the first by the pipeline, the others as copies of it, multiplied."""
    smallest = bench.plan.sizes[0]
    first = contenders.ours(bench, f"stored_{smallest}", rules=USUAL_RULES)
    with contenders.inside(bench, first.database) as program:
        program.ask("fill", first=bench.numbers(smallest), count=smallest, shoppers=_shoppers(bench))
        program.ask("drain")
        program.ask("clone", copies=0)
    made = {smallest: first}
    for size in bench.plan.sizes[1:]:
        database = bench.postgres.create(f"stored_{size}", first.database)
        with contenders.inside(bench, database) as program:
            program.ask("clone", copies=size // smallest - 1)
        made[size] = replace(first, database=database)
    return made


def _shoppers(bench: Bench) -> int:
    return max(1, bench.plan.sizes[0] // SIGNALS_A_SHOPPER)


def _round(bench: Bench, made: Contender, program: Inside) -> dict[str, float]:
    """Return the milliseconds of a signal, and of each read."""
    plan = bench.plan
    first = bench.numbers(plan.growth_signals)
    program.ask("fill", first=first, count=plan.growth_signals, shoppers=_shoppers(bench))
    before = bench.postgres_seconds()
    found = program.ask("drain")
    spent = found["processor_seconds"] + bench.postgres_seconds() - before
    reads = program.ask("read", api_key=made.api_key, times=plan.reads, shoppers=_shoppers(bench))
    processing = {
        PIPELINE: found["seconds"] / found["signals"] * 1_000,
        PIPELINE_PROCESSOR: spent / found["signals"] * 1_000,
    }
    return processing | {name: spread(times).median for name, times in reads.items()}


def _growth(of_size: dict[int, list[float]], sizes: tuple[int, ...]) -> Spread | None:
    return ratio(of_size[sizes[-1]], of_size[sizes[0]])


def _goal(name: str, of_size: dict[int, list[float]], sizes: tuple[int, ...]) -> Goal:
    found = _growth(of_size, sizes)
    is_telling = sizes[-1] >= 1_000_000
    reached = found.median <= 1.3 if found and is_telling else None
    return Goal(
        f"{name}: {sizes[-1]:,} stored signals to {sizes[0]:,}", "at most 1.3x", with_spread(found, "x"), reached
    )
