"""Several child processes that live and end as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

BOUND_PROCESS = Path(__file__).with_name("bound_process.py")
LOOK_EVERY_SECONDS = 0.1
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 10.0
GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Service:
    """
    One child: its name in the log, its command, and what its environment has more than the parent's.

    With `waits_until` it is not started before that returns True; it is asked every now and then and must not block.
    `stop_signal` ends it, sent by the parent or, when that is killed, by the kernel.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    waits_until: Callable[[], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A service with its process, which is started again whenever it ends."""

    def __init__(self, service: Service, supervisor: Supervisor) -> None:
        self.service = service
        self._supervisor = supervisor
        self._process: subprocess.Popen[str] | None = None
        self._printer: threading.Thread | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._delay = 0.0

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [*self._bound_to_this_process(), *self.service.command],
            cwd=self._supervisor.directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.service.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own: Ctrl-C reaches the parent only, which then ends all in order; and what a child has
            # started itself can be ended with it.
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe, as asked for above
        self._printer = threading.Thread(target=self._print, args=(self._process.stdout,), daemon=True)
        self._printer.start()

    def look_after(self) -> None:
        """Start the process again if it has ended: soon the first time, later and later if it keeps ending."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at and (self.service.waits_until is None or self.service.waits_until()):
                self.start()
        elif self._process.poll() is not None:
            is_quick = now - self._started_at < HEALTHY_AFTER_SECONDS
            self._delay = (
                min(self._delay * 2, LONGEST_DELAY_SECONDS) if is_quick and self._delay else FIRST_DELAY_SECONDS
            )
            self._start_at = now + self._delay
            code = self._process.returncode
            self.kill()
            self._supervisor.say(self.service.name, f"ended with {code}, starts again in {self._delay:.1f} s")
            self._process = None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        if self._process is not None and self.is_running():
            self._process.send_signal(self.service.stop_signal)

    def kill(self) -> None:
        """End the process and whatever it has started."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # the whole group has ended already
        finally:
            self._process.wait()
            if self._printer is not None:
                self._printer.join(timeout=1)

    def _bound_to_this_process(self) -> list[str]:
        return [sys.executable, "-I", str(BOUND_PROCESS), str(os.getpid()), str(int(self.service.stop_signal))]

    def _print(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._supervisor.say(self.service.name, line.rstrip("\n"))


class Supervisor:
    """
    Start the services, print their lines, start again what ends, and end all at once.

    A line is printed with the name of its service in front, or as `present` returns it.

    The first SIGINT or SIGTERM asks the children to finish what they are doing, for `GRACE_SECONDS` at most; a second
    one ends them at once. If this process itself is killed, the kernel tells the children (see `bound_process`).
    """

    def __init__(
        self, services: Sequence[Service], *, directory: Path, present: Callable[[str, str], str] | None = None
    ) -> None:
        self.directory = directory
        self._present = present or self._with_name
        self._children = [Child(service, self) for service in services]
        self._width = max(len(service.name) for service in services)
        self._stop_requests = 0
        self._print_lock = threading.Lock()

    def run(self) -> None:
        """Run until a signal asks to stop. Must be called in the main thread, to which the children are bound."""
        previous = {number: signal.signal(number, self._request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not self._stop_requests:
                for child in self._children:
                    child.look_after()
                time.sleep(LOOK_EVERY_SECONDS)
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def say(self, name: str, line: str) -> None:
        with self._print_lock:
            sys.stdout.write(self._present(name, line) + "\n")
            sys.stdout.flush()

    def _with_name(self, name: str, line: str) -> str:
        return f"{name:<{self._width}} | {line}"

    def _stop(self) -> None:
        for child in self._children:
            child.terminate()
        until = time.monotonic() + GRACE_SECONDS
        while any(child.is_running() for child in self._children):
            if time.monotonic() > until or self._stop_requests > 1:
                break
            time.sleep(LOOK_EVERY_SECONDS)
        for child in self._children:
            child.kill()

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_requests += 1
