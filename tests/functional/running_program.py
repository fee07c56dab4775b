"""The real program for tests: its own data, its own port, `manage.py run` with web, worker and beat."""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import kombu
import psycopg

from chaos.processes import command_line, descendants, free_port, is_alive, wait_until
from signals_app.webhooks.signature import sign

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_functional"
SQLITE_FILE = "insightarc.sqlite3"
START_SECONDS = 120
STOP_SECONDS = 60
WORKER_READY = " ready."
SHELL = """
import contextlib, io, json, sys
import django
django.setup()
from django.db import connections
for line in sys.stdin:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(json.loads(line), {})
    connections.close_all()
    print(json.dumps(printed.getvalue()), flush=True)
"""


@dataclass
class Program:
    """A store set up by command, and the processes while `running()`."""

    folder: Path
    port: int
    environment: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    log_seen: int = 0
    shell: subprocess.Popen[str] | None = None

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{arguments[0]} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_code(self, code: str) -> str:
        """Run code in a process of its own, which stays for the next, and return what it printed."""
        if self.shell is None:
            with (self.folder / "shell.log").open("ab") as errors:
                self.shell = subprocess.Popen(
                    [sys.executable, "-c", SHELL],
                    cwd=ROOT,
                    env=self.environment | {"DJANGO_SETTINGS_MODULE": "insightarc_crm.settings"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                )
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{json.dumps(code)}\n")
        self.shell.stdin.flush()
        printed = self.shell.stdout.readline()
        assert printed, f"the code failed:\n{(self.folder / 'shell.log').read_text()}"
        return str(json.loads(printed))

    def close_shell(self) -> None:
        if self.shell is not None:
            self.shell.communicate()
            self.shell = None

    def start(self, *options: str) -> None:
        self.log_seen = len(self.log())
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--port", str(self.port), *options],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        wait_until(self.is_ready, START_SECONDS, lambda: f"the web server is ready; its log:\n{self.log()[-2000:]}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal and return the exit code; every process must be gone then."""
        assert self.process is not None
        children = list(descendants(self.process.pid))
        self.process.send_signal(number)
        code = self.process.wait(timeout=STOP_SECONDS)
        wait_until(lambda: not any(map(is_alive, children)), 10, "all child processes are gone")
        return code

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the program ended:\n{self.log()}"
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, bytes]:
        """Send one request; a body that is an iterator goes in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {}, **options)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, method: str, path: str, data: dict[str, Any] | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.facts['api_key']}", "Content-Type": "application/json"}
        status, body = self.call(method, f"/api/v1/{path}", json.dumps(data) if data is not None else None, headers)
        return status, json.loads(body) if body else None

    def post_signal(
        self, body: dict[str, Any] | bytes, *, signature: str | None = None, chunks: int = 0
    ) -> tuple[int, Any]:
        """Post as Insightarc does, signed unless told how, in `chunks` pieces if given; return status and answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "x-insightarc-signature": signature or sign(SECRET, raw, self.facts["webhook_url"]),
        }
        size = -(-len(raw) // chunks) if chunks else 0
        sent: Any = (raw[start : start + size] for start in range(0, len(raw), size)) if chunks else raw
        status, answer = self.call("POST", self.facts["webhook_path"], sent, headers, encode_chunked=bool(chunks))
        return status, json.loads(answer)

    def kill_worker(self) -> None:
        """Kill the Celery worker once it takes tasks."""
        wait_until(lambda: WORKER_READY in self.log()[self.log_seen :], START_SECONDS, "the worker takes tasks")
        self.log_seen = len(self.log())
        os.kill(self.worker_pid(), signal.SIGKILL)

    def worker_pid(self) -> int:
        assert self.process is not None
        return next(pid for pid in descendants(self.process.pid) if {"celery", "worker"} <= set(command_line(pid)))

    def log(self) -> str:
        path = self.folder / "run.log"
        return path.read_text(errors="replace") if path.is_file() else ""


@contextmanager
def program(folder: Path, **settings: str) -> Iterator[Program]:
    """Yield a program with a fresh database, the example automations set up to send at once, and nothing running yet."""
    port = free_port()
    with fresh_database() as database, own_queue() as queue:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "PYTEST", "COV"))
        } | {
            **database,
            **queue,
            "DATA_DIR": str(folder / "data"),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "LEASE_SECONDS": "5",
            "WORKER_CONCURRENCY": "2",
            "PYTHONWARNINGS": "default",
            **settings,
        }
        made = Program(folder, port, environment)
        if database:
            made.manage("migrate", "--verbosity", "0")
        else:
            (folder / "data").mkdir()
            (folder / "data" / SQLITE_FILE).write_bytes(migrated_sqlite())
        url = f"http://127.0.0.1:{port}/webhooks/insightarc/{{source_id}}/"
        examples = ("--with-examples", "--wait-minutes", "0", "--holdout", "0")
        printed = made.manage("setup_project", "shop", "--webhook-url", url, "--secret", SECRET, *examples, "--json")
        made.facts = json.loads(printed.splitlines()[-1])
        try:
            yield made
        finally:
            made.close_shell()
            if made.is_running():
                assert made.stop(signal.SIGTERM) == 0


@functools.cache
def migrated_sqlite() -> bytes:
    """Return the file of a database in which every table is and no row of ours: making one takes longer than a test."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        Program(Path(folder), 0, environment | {"DATA_DIR": folder}).manage("migrate", "--verbosity", "0")
        return (Path(folder) / SQLITE_FILE).read_bytes()


@contextmanager
def fresh_database() -> Iterator[dict[str, str]]:
    """Yield what selects an empty database: nothing for SQLite, which lives in DATA_DIR; else one of its own there."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield {}
        return
    parts = urlsplit(url)
    name = f"functional_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {"DATABASE_URL": urlunsplit(parts._replace(path=f"/{name}"))}
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def own_queue() -> Iterator[dict[str, str]]:
    """Yield what names a queue of its own, since programs that share a broker's would take each other's wake-ups."""
    name = f"functional_{uuid.uuid4().hex[:12]}"
    yield {"CELERY_QUEUE": name}
    broker = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL")
    if broker:
        with kombu.Connection(broker) as connection:
            connection.default_channel.queue_delete(name)
