"""The processes of `manage.py run` live and end as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVICES = """
import sys
from pathlib import Path
from insightarc_crm.supervisor import Service, Supervisor

def service(name, waits_until=None):
    script = f"import os, time; print('{name} is', os.getpid(), flush=True); time.sleep(60)"
    return Service(name, [sys.executable, "-c", script], waits_until=waits_until)

ready = Path(sys.argv[1])
Supervisor([service("web"), service("worker"), service("late", ready.exists)], directory=Path.cwd()).run()
"""


@contextmanager
def supervisor(ready="/nowhere"):
    process = subprocess.Popen([sys.executable, "-c", SERVICES, ready], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process, pattern):
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"the supervisor ended without printing {pattern}")


def read_pids(process):
    found = [read_until(process, r"^(web|worker) +\| \1 is (\d+)$") for _ in range(2)]
    return {match[1]: int(match[2]) for match in found}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(is_alive(pid) for pid in pids):
            return
        time.sleep(0.02)
    raise AssertionError(f"still running: {[pid for pid in pids if is_alive(pid)]}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_all(number):
    with supervisor() as parent:
        pids = read_pids(parent)

        parent.send_signal(number)

        assert parent.wait(timeout=10) == 0
        wait_until_gone(pids.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_killing_the_parent_ends_all():
    with supervisor() as parent:
        pids = read_pids(parent)

        parent.kill()

        wait_until_gone(pids.values())


def test_a_killed_child_is_started_again_and_the_other_left_alone():
    with supervisor() as parent:
        pids = read_pids(parent)

        os.kill(pids["worker"], signal.SIGKILL)

        read_until(parent, r"^worker \| ended with -9, starts again in 0.5 s$")
        fresh = read_until(parent, r"^worker \| worker is (\d+)$")
        assert int(fresh[1]) != pids["worker"]
        assert is_alive(pids["web"])
        parent.send_signal(signal.SIGINT)
        assert parent.wait(timeout=10) == 0
        wait_until_gone([pids["web"], int(fresh[1])])


def test_a_service_that_waits_is_started_when_its_time_has_come(tmp_path):
    ready = tmp_path / "ready"
    with supervisor(str(ready)) as parent:
        read_pids(parent)

        ready.touch()

        late = read_until(parent, r"^late +\| late is (\d+)$")
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(timeout=10) == 0
        wait_until_gone([int(late[1])])
