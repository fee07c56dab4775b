"""Reading: what a marketer and a program wait for with few and with very many profiles, in turn."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from benchmarks import contenders
from benchmarks.contenders import USUAL_RULES, Bench, Contender
from benchmarks.figures import Spread, ratio, spread, with_spread
from benchmarks.results import Goal, Section, Table

MOST_MILLISECONDS, MOST_GROWTH = 150, 1.5
SEGMENT_COUNT, MOST_SEGMENT_COUNT = "Segment: count of three conditions", 1_000
"""A count of all who match grows with the profiles: only its time is aimed at."""
MANY = 1_000_000


def measure(bench: Bench) -> Section:
    sizes, each = bench.plan.profiles, bench.plan.signals_a_profile
    taken: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as running:
        programs = {
            size: (made, running.enter_context(contenders.inside(bench, made.database)))
            for size, made in _filled(bench).items()
        }
        for turn in range(bench.plan.reading_rounds + 1):
            for size, (made, program) in programs.items():
                found = program.ask("read_admin", api_key=made.api_key, times=bench.plan.reads, profiles=size)
                if turn:  # the first warms up
                    for name, milliseconds in found.items():
                        taken.setdefault(name, {one: [] for one in sizes})[size].append(spread(milliseconds).median)
    rows = [
        (name, *(with_spread(spread(of_size[size])) for size in sizes), with_spread(_growth(of_size, sizes), "x"))
        for name, of_size in taken.items()
    ]
    return Section(
        "Reading",
        tables=[
            Table(
                ("ms", *(f"{size:,} profiles" for size in sizes), f"{sizes[-1]:,} to {sizes[0]:,}"),
                rows,
                note=f"{each} signals a profile. Pages go through the whole admin without its socket; median of a round, "
                "median (lowest to highest) of the rounds.",
            )
        ],
        goals=[goal for name, of_size in taken.items() for goal in _goals(name, of_size, sizes)],
    )


def _filled(bench: Bench) -> dict[int, Contender]:
    """Make one database for each size, each but the first as a copy of the one before, filled up."""
    made: dict[int, Contender] = {}
    before = contenders.ours(bench, "profiles", rules=USUAL_RULES)
    for size in bench.plan.profiles:
        database = bench.postgres.create(f"profiles_{size}", before.database)
        before = replace(before, database=database)
        with contenders.inside(bench, database) as program:
            program.ask("fill_crowd", upto=size, signals_each=bench.plan.signals_a_profile)
        made[size] = before
    return made


def _growth(of_size: dict[int, list[float]], sizes: tuple[int, ...]) -> Spread | None:
    return ratio(of_size[sizes[-1]], of_size[sizes[0]])


def _goals(name: str, of_size: dict[int, list[float]], sizes: tuple[int, ...]) -> list[Goal]:
    largest, is_telling = spread(of_size[sizes[-1]]), sizes[-1] >= MANY
    most = MOST_SEGMENT_COUNT if name == SEGMENT_COUNT else MOST_MILLISECONDS
    reached = largest.median <= most if is_telling else None
    goals = [Goal(f"{name}, {sizes[-1]:,} profiles", f"at most {most:,} ms", with_spread(largest, "ms"), reached)]
    if name != SEGMENT_COUNT:
        grown = _growth(of_size, sizes)
        reached = grown.median <= MOST_GROWTH if grown and is_telling else None
        what = f"{name}: {sizes[-1]:,} profiles to {sizes[0]:,}"
        goals.append(Goal(what, f"at most {MOST_GROWTH}x", with_spread(grown, "x"), reached))
    return goals
