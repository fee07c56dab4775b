"""Importing: rows a second of a list, beside the same rows given one by one to the service behind the REST API."""

from __future__ import annotations

from benchmarks import contenders
from benchmarks.contenders import Bench
from benchmarks.figures import Spread, spread, with_spread
from benchmarks.results import Chart, Goal, Section, Table

KINDS = ("consents", "profiles")
ONE_BY_ONE_SHARE = 20
"""One by one takes so much longer that a part of the rows is enough to see how long."""


def measure(bench: Bench) -> Section:
    plan = bench.plan
    new: dict[str, list[float]] = {kind: [] for kind in KINDS}
    known: dict[str, list[float]] = {kind: [] for kind in KINDS}
    singly: dict[str, list[float]] = {kind: [] for kind in KINDS}
    made = contenders.ours(bench, "importing")
    with contenders.inside(bench, made.database) as program:
        for _ in range(plan.import_rounds):
            for kind in KINDS:
                rows = plan.import_rows
                first = bench.numbers(2 * rows)
                listed = {"kind": kind, "first": first, "count": rows}
                new[kind].append(rows / program.ask("import_list", **listed)["seconds"])
                known[kind].append(rows / program.ask("import_list", **listed)["seconds"])
                few = max(1, rows // ONE_BY_ONE_SHARE)
                answer = program.ask("import_singly", kind=kind, first=first + rows, count=few)
                singly[kind].append(few / answer["seconds"])
    return Section(
        "Importing a list",
        tables=[
            Table(
                ("List", "New rows/s", "The same list again, rows/s", "One by one, rows/s"),
                [
                    (kind.capitalize(), *(with_spread(spread(found[kind])) for found in (new, known, singly)))
                    for kind in KINDS
                ],
                note=f"{plan.import_rows:,} rows with an e-mail address each, from the file to the last commit; "
                "median (lowest to highest round). One by one: the service behind the REST API, without HTTP.",
            )
        ],
        charts=[Chart("importing", "Rows of a list a second", "rows/s", _bars(new, singly))],
        goals=[Goal.at_least(f"{kind.capitalize()} imported a second", spread(new[kind]), 5_000) for kind in KINDS],
    )


def _bars(new: dict[str, list[float]], singly: dict[str, list[float]]) -> list[tuple[str, Spread]]:
    return [
        (f"{kind}, {how}", spread(found[kind]))
        for kind in KINDS
        for how, found in (("a list", new), ("singly", singly))
    ]
