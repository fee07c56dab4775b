"""Run the measurements: `python -m benchmarks [--plan full|short] [--only NAME ...] [--record]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Section

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "benchmarks"
NAMES = ("receiving", "end_to_end", "processing", "importing", "growth", "reading", "broker", "memory")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the program beside others.")
    parser.add_argument("--plan", choices=("full", "short", "smoke"), default="short")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="SECTION", help=", ".join(NAMES))
    parser.add_argument("--record", action="store_true", help="write the result into docs/benchmarks/")
    parser.add_argument("--embedded", action="store_true", help="start a PostgreSQL for the run even if one answers")
    return parser


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that everything started is ended
    options = _parser().parse_args()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        # The modules below read the program's settings, which read the environment once: so it is made ready first.
        environment = _environment(folder)
        os.environ.update(environment)
        from benchmarks import conditions, results, servers
        from benchmarks.contenders import Bench
        from benchmarks.plan import PLANS
        from benchmarks.sections import (
            broker,
            end_to_end,
            growth,
            importing,
            memory,
            processing,
            reading,
            receiving,
        )

        measure: dict[str, Callable[[Bench], results.Section]] = {
            one.__name__.rpartition(".")[2]: one.measure
            for one in (receiving, end_to_end, processing, importing, growth, reading, broker, memory)
        }
        try:
            postgres = running.enter_context(servers.postgres(embedded=options.embedded))
            redis_url, _ = running.enter_context(servers.redis_server(folder, "redis"))
            bench = Bench(PLANS[options.plan], folder, postgres, redis_url, environment, postgres.processor())
            known = conditions.found(bench)
            sections = []
            for name in NAMES:
                if name in options.only and (name != "memory" or bench.plan.memory_signals):
                    say(f"{name} …")
                    sections.append(measure[name](bench))
            say("done")
        except servers.DidNotWork as error:
            say(f"FAILED: {error}")
            return 1
        sys.stdout.write(results.report(sections, conditions=known, with_charts=False))
        if options.record:
            _record(results.report(sections, conditions=known, with_charts=True), sections)
    return 0


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of everything that is started: the run's own folder, nothing of the caller's servers."""
    unwanted = ("DATABASE_URL", "REDIS_URL", "CELERY_", "EMAIL_", "DJANGO_SETTINGS_MODULE", "PYTEST", "PUBLIC_URL")
    # This process itself has no PostgreSQL in its settings, and would take the default for SQLite.
    os.environ.setdefault("WEB_WORKERS", str(os.cpu_count() or 1))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "insightarc_crm.settings",
        "DATA_DIR": str(folder / "data"),
        "CELERY_BROKER_URL": "",
        "PUBLIC_URL": "https://crm.example.com",
        "ALLOWED_HOSTS": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


def _record(text: str, sections: list[Section]) -> None:
    from benchmarks import charts

    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "results.md").write_text(text)
    for section in sections:
        for chart in section.charts:
            (RESULTS / f"{chart.name}.svg").write_text(charts.as_svg(chart))


if __name__ == "__main__":
    sys.exit(main())
