"""Receiving: how many signals a second are acknowledged, how fast, and what each costs; round by round, in turn."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import commits, contenders, posting
from benchmarks.contenders import NOOP, OURS, TEXTBOOK, Bench, WebServer
from benchmarks.figures import Spread, percentile, ratio, spread, with_spread
from benchmarks.posting import Posted
from benchmarks.results import Chart, Goal, Section, Table


@dataclass
class Rounds:
    """What was measured of one contender, round by round."""

    saturated: list[Posted] = field(default_factory=list)
    paced: list[Posted] = field(default_factory=list)
    at_our_half: list[Posted] = field(default_factory=list)
    """Paced at half of what this program takes, whatever half of its own would be."""
    bare_commit_p99_ms: list[float] = field(default_factory=list)
    """Of rows that were committed meanwhile, one for two requests: no durable acknowledgement comes sooner."""

    def of(self, name: str) -> list[float]:
        return [float(getattr(posted, name)) for posted in self.saturated]

    def paced_p99(self) -> list[float]:
        return [posted.p99_ms for posted in self.paced]


def measure(bench: Bench) -> Section:
    plan = bench.plan
    of: dict[str, Rounds] = {OURS: Rounds(), NOOP: Rounds(), TEXTBOOK: Rounds()}
    with ExitStack() as running:
        made = (
            contenders.ours(bench, "receiving"),
            contenders.noop(bench),
            contenders.textbook(bench, "receiving_peer"),
        )
        servers = {one.name: running.enter_context(one.serve(bench)) for one in made}
        for server in servers.values():
            posting.post(bench, server, count=plan.warm_up)
        for _ in range(plan.request_rounds):
            for name, server in servers.items():
                of[name].saturated.append(posting.saturate(bench, server, seconds=plan.saturation_seconds))
            for name, server in servers.items():
                _pace_at_half(bench, server, of[name], of[OURS])
    return Section(
        "Receiving",
        tables=[_absolute(of), _ratios(of)],
        charts=[
            Chart("received", "Signals acknowledged a second", "signals/s", _bars(of, "rate")),
            Chart("request-cost", "Processor time of the web server a request", "µs", _bars(of, "web_us")),
        ],
        goals=_goals(of),
    )


def _pace_at_half(bench: Bench, server: WebServer, mine: Rounds, ours: Rounds) -> None:
    seconds, half = bench.plan.paced_seconds, spread(ours.of("rate")).median / 2
    own_half = spread(mine.of("rate")).median / 2
    mine.paced.append(posting.pace(bench, server, seconds=seconds, rate=own_half))
    if server.contender.name == NOOP:
        mine.at_our_half.append(posting.pace(bench, server, seconds=seconds, rate=half))
        with commits.beside(bench.postgres, rate=half / 2) as taken:
            posting.pace(bench, server, seconds=seconds, rate=half)
        mine.bare_commit_p99_ms.append(percentile(sorted(taken), 0.99))


def _absolute(of: dict[str, Rounds]) -> Table:
    rows = [
        (
            name,
            with_spread(spread(rounds.of("rate"))),
            with_spread(spread(rounds.of("p50_ms"))),
            with_spread(spread(rounds.of("p99_ms"))),
            with_spread(spread(rounds.paced_p99())),
            with_spread(spread(rounds.of("web_us"))),
            "–" if name == NOOP else with_spread(spread(rounds.of("postgres_us"))),
        )
        for name, rounds in of.items()
    ]
    generator = spread([posted.generator_us for rounds in of.values() for posted in rounds.saturated])
    return Table(
        (
            *("Server", "Acknowledged signals/s, saturated", "p50 ms, saturated", "p99 ms, saturated"),
            *("p99 ms at half its load", "Web server CPU µs/request", "PostgreSQL CPU µs/request"),
        ),
        rows,
        note=f"Median (lowest to highest round). The load generator took {with_spread(generator)} µs of CPU a request.",
    )


def _ratios(of: dict[str, Rounds]) -> Table:
    ours, noop, peer = of[OURS], of[NOOP], of[TEXTBOOK]
    rows = [
        ("Signals/s, saturated", ratio(ours.of("rate"), peer.of("rate")), ratio(ours.of("rate"), noop.of("rate"))),
        (
            "p99 at half of our load (peer: of its own)",
            ratio(ours.paced_p99(), peer.paced_p99()),
            ratio(ours.paced_p99(), [posted.p99_ms for posted in noop.at_our_half]),
        ),
        (
            "Web server CPU a request",
            ratio(ours.of("web_us"), peer.of("web_us")),
            ratio(ours.of("web_us"), noop.of("web_us")),
        ),
        ("PostgreSQL CPU a request", ratio(ours.of("postgres_us"), peer.of("postgres_us")), None),
    ]
    floor, noop_p99 = noop.bare_commit_p99_ms, [posted.p99_ms for posted in noop.at_our_half]
    return Table(
        ("This program relative to", TEXTBOOK, NOOP),
        [(name, with_spread(one, "x"), with_spread(other, "x")) for name, one, other in rows],
        note="Ratio of the medians (lowest to highest ratio within a round). Beside the no-op view at half of our load, "
        f"committing one row, and nothing else, has a p99 of {with_spread(spread(floor))} ms: no durable acknowledgement "
        f"comes sooner, so {with_spread(ratio(floor, noop_p99), 'x')} of the no-op view's is what is possible here.",
    )


def _bars(of: dict[str, Rounds], name: str) -> list[tuple[str, Spread]]:
    return [(contender, spread(rounds.of(name))) for contender, rounds in of.items()]


def _goals(of: dict[str, Rounds]) -> list[Goal]:
    ours, noop, peer = of[OURS], of[NOOP], of[TEXTBOOK]
    to_peer, to_noop = ratio(ours.of("rate"), peer.of("rate")), ratio(ours.of("rate"), noop.of("rate"))
    tail = ratio(ours.paced_p99(), [posted.p99_ms for posted in noop.at_our_half])
    return [
        Goal.at_least("Acknowledged signals/s, to the textbook peer", to_peer, 6, "x"),
        Goal.at_least("Acknowledged signals/s, to the no-op view", to_noop, 0.5, "x"),
        Goal.at_most("p99 at half that load, to the no-op view at the same load", tail, 3, "x"),
    ]
