"""Everything that a run starts: databases, Redis, web servers, workers; each ends with the run, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks import processor
from insightarc_crm.supervisor import BOUND_PROCESS

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_SERVER = "postgres://postgres@127.0.0.1:5432/"
MOST_QUEUES = 100
START_SECONDS, STOP_SECONDS, STEP_SECONDS = 60.0, 15.0, 0.02


class DidNotWork(Exception):
    """Something that had to work did not: a server that did not start, a signal that was lost."""


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str, step: float = STEP_SECONDS) -> None:
    """Wait until `condition` holds, asked every `step` seconds; :raises DidNotWork: if it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise DidNotWork(f"Not within {seconds:.0f} s: {what}")
        time.sleep(step)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child that ends when its block does, and with this process if that is killed; its output is in a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        bound = [sys.executable, "-I", str(BOUND_PROCESS), str(os.getpid()), str(int(signal.SIGTERM))]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [*bound, *command],
                cwd=ROOT,
                env={**environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with suppress(ProcessLookupError):  # raised when nothing is left
            os.killpg(self._process.pid, signal.SIGKILL)  # what it has started and left
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_runs(self) -> None:
        if self._process.poll() is not None:
            raise DidNotWork(f"A process ended with {self._process.returncode}:\n{self.log()[-2_000:]}")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def processor_seconds(self) -> float:
        return processor.seconds_of_tree(self.pid)

    def wait_for_port(self, port: int) -> None:
        def is_up() -> bool:
            self.check_runs()
            return answers(port)

        wait_until(is_up, seconds=START_SECONDS, what=f"port {port} answers; its log:\n{self.log()[-2_000:]}")


class PostgresServer:
    """A PostgreSQL that is there, with databases of our own on it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._prefix = f"bench_{uuid.uuid4().hex[:8]}"
        self._connection = psycopg.connect(self.url_of("postgres"), autocommit=True)
        self._connections: dict[str, psycopg.Connection[tuple[Any, ...]]] = {}
        self.databases: set[str] = set()

    def url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{database}"))

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database, as a copy if a template is given, and return its whole name."""
        whole = f"{self._prefix}_{name}"
        self._disconnect(template)  # nobody may be connected to what is copied
        self._connection.execute(f'CREATE DATABASE "{whole}" TEMPLATE "{template}"')
        self.databases.add(whole)
        return whole

    def drop(self, whole: str) -> None:
        self._disconnect(whole)
        self._connection.execute(f'DROP DATABASE IF EXISTS "{whole}" WITH (FORCE)')
        self.databases.discard(whole)

    def close(self) -> None:
        for whole in list(self.databases):
            self.drop(whole)
        self._disconnect("postgres")
        self._connection.close()

    def ask(self, database: str, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a database and return its rows, if it has any."""
        if database not in self._connections:
            self._connections[database] = psycopg.connect(self.url_of(database), autocommit=True)
        cursor = self._connections[database].execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def _disconnect(self, database: str) -> None:
        if database in self._connections:
            self._connections.pop(database).close()

    def count(self, database: str, what: str) -> int:
        """Return how many rows `what`, e.g. "shop_order WHERE paid", has."""
        return int(self.ask(database, f"SELECT count(*) FROM {what}")[0][0])  # noqa: S608 - our own words

    def version(self) -> str:
        return str(self.ask("postgres", "SHOW server_version")[0][0]).split()[0]

    def processor(self) -> processor.PostgresProcessor | None:
        """Return what reads its processor time, or None if it does not run on this machine."""
        try:
            return processor.PostgresProcessor(self._connection.info.backend_pid, self.databases)
        except (FileNotFoundError, PermissionError):
            return None


@contextmanager
def postgres(*, embedded: bool) -> Iterator[PostgresServer]:
    """Yield the server that DATABASE_URL names, or the one on this machine, or one started for the run."""
    configured = os.environ.get("DATABASE_URL", "")
    url = configured if configured.startswith(("postgres", "psql")) else DEFAULT_SERVER
    if not embedded:
        try:
            server = PostgresServer(url)
        except psycopg.OperationalError:
            if configured:
                raise
        else:
            try:
                yield server
            finally:
                server.close()
            return
    # Imported here: it comes with the packages for development, which a run against a server does not need.
    from tests.on_postgresql import embedded_server

    with embedded_server() as own_url:
        server = PostgresServer(own_url)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def redis_server(folder: Path, name: str) -> Iterator[tuple[str, Process]]:
    """
    Start a Redis that keeps nothing; yield its URL and process.

    :raises DidNotWork: if there is no `redis-server` to start.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise DidNotWork("`redis-server` is needed and not installed (Debian: apt-get install redis-server).")
    port = free_port()
    options = (
        "--databases",
        str(MOST_QUEUES),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    )
    with Process([binary, *options], os.environ, folder / f"{name}.log") as process:
        process.wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0", process
