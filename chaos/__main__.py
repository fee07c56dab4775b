"""`python -m chaos`: see `--help`. Exits with 1 if an invariant did not hold, with 2 if the run could not be made."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import django

from chaos.faults import FAULTS, SHORT, WORKER_CONCURRENCY
from chaos.mail_service import MailService
from chaos.processes import free_port
from chaos.program import ROOT, Program
from chaos.servers import CannotRunHere, Postgres, Redis, postgres_binaries, redis_binary

if TYPE_CHECKING:
    from chaos.invariants import Findings

OURS = ("DATABASE_URL", "REDIS_URL", "CELERY_", "EMAIL_", "DATA_DIR", "PYTEST", "COV", "BEHIND_TLS_PROXY", "DEBUG")


def main() -> int:
    options = _parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that everything is stopped
    try:
        postgres_binaries(), redis_binary()
    except CannotRunHere as missing:
        sys.stderr.write(f"The chaos run cannot be made here, it lacks: {missing}\n")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)  # PostgreSQL's user has to get through to its data
    (folder / "logs").mkdir()
    postgres = Postgres(folder / "postgres", own_disk="F7" in options.only)
    redis = Redis(folder / "redis")
    mail_service = MailService(free_port(), folder / "logs" / "mails.jsonl", random.Random(f"{options.seed}/mails"))
    ports = (free_port(), free_port())
    environment = _environment(folder, ports[0], options.lease) | {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "EMAIL_URL": mail_service.url,
    }
    os.environ.clear()
    os.environ.update(environment)
    django.setup()
    from chaos import run  # whose models need the settings

    plan = run.Plan(
        seed=options.seed,
        faults=options.only,
        seconds=options.seconds,
        rate=options.rate,
        is_short=options.short,
        lease_seconds=options.lease,
    )
    run.say(f"seed {options.seed}, faults {', '.join(options.only)}, logs in {folder / 'logs'}")
    began = time.monotonic()
    findings = run.run(
        plan,
        postgres=postgres,
        redis=redis,
        program=Program(environment, folder / "logs", ports),
        mail_service=mail_service,
    )
    return _conclude(options, findings, folder, seconds=time.monotonic() - began)


def _conclude(options: argparse.Namespace, findings: Findings, folder: Path, *, seconds: float) -> int:
    """Print what came of a run, record it if asked, and return the exit code; the logs of a good run are deleted."""
    from chaos import report

    broken = report.evidence(findings)
    lines = [report.table(findings), "", *(f"{name}: {count}" for name, count in findings.totals.items()), ""]
    sys.stdout.write("\n".join([*lines, *report.notes(findings), ""]) + "\n")
    if options.record:
        size = "each fault once and small" if options.short else "in full"
        words = f"seed {options.seed}, {size}, {options.rate:g} signals a second, {seconds:.0f} s"
        report.write_record(ROOT / "docs" / "chaos.md", findings, run=words, versions=_versions())
    for name in ("postgres", "redis"):
        shutil.copy(folder / name / "log", folder / "logs" / f"{name}.log")
    if broken:
        sys.stdout.write("\n".join([*broken, f"Seed {options.seed}; the logs are in {folder / 'logs'}"]) + "\n")
        return 1
    sys.stdout.write(f"Every invariant held, with seed {options.seed}, in {seconds:.0f} s.\n")
    shutil.rmtree(folder)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break the program under load and check it.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--short", action="store_true", help="a small choice of faults, once each, in about a minute")
    parser.add_argument("--only", type=_faults, help="these faults only, e.g. F5,F6")
    parser.add_argument(
        "--seconds", type=float, help="load for at least so long (default: 540, short: each fault once)"
    )
    parser.add_argument("--rate", type=float, help="signals a second, beside those of the faults (default: 12)")
    parser.add_argument("--record", action="store_true", help="write docs/chaos.md")
    options = parser.parse_args()
    options.only = options.only or (SHORT if options.short else tuple(FAULTS))
    options.seconds = options.seconds if options.seconds is not None else 0.0 if options.short else 540.0
    options.rate = options.rate or 12.0
    options.lease = 5 if options.short else 10
    return options


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(text.upper().split(","))
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(FAULTS)}")
    return names


def _environment(folder: Path, port: int, lease_seconds: int) -> dict[str, str]:
    """Return the environment of every part: ours without what would lead it to somebody else's data."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
        "DJANGO_SETTINGS_MODULE": "insightarc_crm.settings",
        "DATA_DIR": str(folder / "data"),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LEASE_SECONDS": str(lease_seconds),
        "WORKER_CONCURRENCY": str(WORKER_CONCURRENCY),
        "PYTHONWARNINGS": "ignore",
    }


def _versions() -> str:
    postgres = subprocess.run(
        [postgres_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    broker = subprocess.run([redis_binary(), "--version"], capture_output=True, text=True, check=True)
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"Python {python}, PostgreSQL {postgres.stdout.split()[2]}, Redis {broker.stdout.split()[2].removeprefix('v=')}"
    )


if __name__ == "__main__":
    sys.exit(main())
