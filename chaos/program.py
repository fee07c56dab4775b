"""The program under test as it runs on servers: each part a `manage.py run` of its own."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from chaos.processes import NotWithinTime, command_line, descendants, is_alive, wait_until

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120
STOP_SECONDS = 60
WORKER_READY = " ready."


@dataclass
class Part:
    """One `manage.py run`: a parent that starts its child again whenever it ends."""

    name: str
    options: tuple[str, ...]
    environment: dict[str, str]
    log_path: Path
    port: int | None = None
    """Where its web server listens; None if it has none."""
    process: subprocess.Popen[bytes] | None = None
    _log_seen: int = 0

    def start(self) -> None:
        self._log_seen = self._log_size()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run", *self.options],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        """Wait until it works; :raises NotWithinTime: if it does not."""
        wait_until(self._is_ready, START_SECONDS, lambda: f"{self.name} is ready; its log ends:\n{self.log()[-1500:]}")

    def kill(self) -> None:
        """Kill it as a power cut would: parent, child and whatever the child has started, at one stroke."""
        assert self.process is not None
        victims = [self.process.pid, *descendants(self.process.pid)]
        for pid in victims:
            _kill(pid)
        self.process.wait()
        wait_until(lambda: not any(map(is_alive, victims)), 10, f"{self.name} is gone")

    def kill_child(self, luck: random.Random) -> int:
        """Kill one of the processes below the parent, which has to start it again; return its pid."""
        assert self.process is not None
        wait_until(lambda: bool(self._children()), START_SECONDS, f"{self.name} has a child to kill")
        victim = luck.choice(self._children())
        self._log_seen = self._log_size()
        _kill(victim)
        return victim

    def terminate(self) -> int:
        """End it in order, as a deployment does, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as expired:
            raise NotWithinTime(f"not within {STOP_SECONDS} s: {self.name} ends at SIGTERM") from expired

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _children(self) -> list[int]:
        assert self.process is not None
        return [
            pid
            for pid in descendants(self.process.pid)
            if "insightarc_crm.web_server" in command_line(pid) or "celery" in command_line(pid)
        ]

    def _log_size(self) -> int:
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def _is_ready(self) -> bool:
        if not self.is_running():
            raise NotWithinTime(f"{self.name} ended by itself; its log ends:\n{self.log()[-1500:]}")
        if self.port is not None:
            return answers(self.port, "/readyz")
        if "--beat-only" in self.options:
            return bool(self._children())
        with self.log_path.open("rb") as log:
            log.seek(self._log_seen)
            return WORKER_READY.encode() in log.read()


@dataclass
class Program:
    """All parts of the program: two web servers, two workers, one beat."""

    environment: dict[str, str]
    logs: Path
    ports: tuple[int, int]
    parts: dict[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, port in enumerate(self.ports, 1):
            self._add(f"web{number}", "--web-only", "--port", str(port), port=port)
        for number in (1, 2):
            self._add(f"worker{number}", "--worker-only", "--no-beat")
        self._add("beat1", "--beat-only")
        self._add("beat2", "--beat-only")

    @property
    def webs(self) -> list[Part]:
        return [self.parts["web1"], self.parts["web2"]]

    @property
    def workers(self) -> list[Part]:
        return [self.parts["worker1"], self.parts["worker2"]]

    @property
    def beat(self) -> Part:
        return self.parts["beat1"]

    @property
    def second_beat(self) -> Part:
        """Not started with the others."""
        return self.parts["beat2"]

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        first = [*self.webs, *self.workers, self.beat]
        for part in first:
            part.start()
        for part in first:
            part.wait_until_ready()

    def stop(self) -> None:
        """End every part; one that hangs is killed."""
        running = [part for part in self.parts.values() if part.is_running()]
        for part in running:
            assert part.process is not None
            part.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for part in running:
            assert part.process is not None
            try:
                part.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.kill()

    def _add(self, name: str, *options: str, port: int | None = None) -> None:
        self.parts[name] = Part(name, options, self.environment, self.logs / f"{name}.log", port)


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself a moment ago
