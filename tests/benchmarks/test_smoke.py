"""The whole measurement, scaled down until it measures nothing: every part starts, answers, and loses no signal."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgresql,
    pytest.mark.redis,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
    pytest.mark.skipif(
        "sqlite" not in os.environ.get("DATABASE_URL", "sqlite"), reason="has its own servers: once is enough"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900
"""Most of it is starting processes, which a busy machine does slowly."""


def test_every_part_of_the_benchmark_runs_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks", "--plan", "smoke", "--embedded"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)

    assert done.returncode == 0, done.stderr[-4_000:]
    titles = re.findall(r"^## (.+)$", done.stdout, re.MULTILINE)
    assert titles == [
        "Goals",
        "Receiving",
        "End to end, 20 active automations",
        "Processing, one worker process",
        "Importing a list",
        "Growth",
        "Reading",
        "The broker in trouble",
        "Memory of the worker",
    ]
    for name in ("This program", "No-op DRF view", "Textbook peer"):
        assert re.search(rf"^\| {name} +\|", done.stdout, re.MULTILINE)
