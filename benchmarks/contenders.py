"""Those that are compared: how each is set up, started, asked to receive signals, and asked what it has kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg.types.json import Json

from benchmarks import processor, traffic
from benchmarks.plan import Plan
from benchmarks.servers import ROOT, DidNotWork, PostgresServer, Process, free_port, wait_until
from insightarc_crm import processes

SECRET = "whsec_bench"  # noqa: S105 - made up
URL = "https://crm.example.com/webhooks/insightarc/"
"""What the signatures cover: any text will do, since it is never asked for."""
OUR_APPLICATION = "insightarc_crm.wsgi:application"
OURS, NOOP, TEXTBOOK = "This program", "No-op DRF view", "Textbook peer"
DRAIN_SECONDS, LOOK_EVERY_SECONDS = 300.0, 0.2
PEER_CONCURRENCY = "2"
USUAL_RULES = 20
"""Active automations where nothing else is said: what a store of some size has."""


@dataclass
class Bench:
    """What all measurements of a run share."""

    plan: Plan
    folder: Path
    postgres: PostgresServer
    redis_url: str
    environment: Mapping[str, str]
    postgres_processor: processor.PostgresProcessor | None = None
    template: Contender | None = None
    """This program with a database that others are copies of."""
    queues: dict[str, int] = field(default_factory=dict)
    next_number: int = 0

    def numbers(self, count: int) -> int:
        """Reserve numbers of signals, so that no two loads of a run send the same bytes; return the first."""
        first, self.next_number = self.next_number, self.next_number + count
        return first

    def environment_for(self, database: str, **more: str) -> dict[str, str]:
        given = {"DATABASE_URL": self.postgres.url_of(database), "REDIS_URL": self.redis_url_of(database)}
        return {**self.environment, **given, "WEBHOOK_SECRET": SECRET, "WEBHOOK_URL": URL, **more}

    def redis_url_of(self, database: str) -> str:
        """Return the URL of the queue of a database: a worker must not take another's messages."""
        number = self.queues.setdefault(database, len(self.queues))
        return self.redis_url.removesuffix("/0") + f"/{number}"

    def postgres_seconds(self) -> float:
        return self.postgres_processor.seconds() if self.postgres_processor else 0.0

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> str:
        """Run a module to its end; :raises DidNotWork: if it fails."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            command, cwd=ROOT, env={**environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DidNotWork(f"{' '.join(command[1:4])} failed:\n{done.stderr[-3_000:]}")
        return done.stdout


class Inside:
    """A process with the program's settings and one of its databases, see `inside.py`."""

    def __init__(self, bench: Bench, database: str) -> None:
        self._errors = bench.folder / f"inside-{database}.log"
        with self._errors.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.inside"],
                cwd=ROOT,
                env=bench.environment_for(database),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Have something done and return the answer; :raises DidNotWork: if it failed."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018, S101 - pipes
        try:
            self._process.stdin.write(json.dumps({"do": order, **arguments}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "null")
        except BrokenPipeError:
            answer = None
        if answer is None:
            raise DidNotWork(f"“{order}” failed:\n{self._errors.read_text(errors='replace')[-3_000:]}")
        return dict(answer)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018, S101 - pipes
        with suppress(BrokenPipeError):  # raised when it has ended already
            self._process.stdin.close()  # it reads to the end of its input, then ends
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def inside(bench: Bench, database: str) -> Iterator[Inside]:
    opened = Inside(bench, database)
    try:
        yield opened
    finally:
        opened.close()


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program to post to; `kept` and `waiting` are what its tables are asked for, as in `PostgresServer.count`."""

    name: str
    application: str
    path: str
    database: str
    url: str = URL
    kept: str = ""
    waiting: str = ""
    api_key: str = ""

    @contextmanager
    def serve(self, bench: Bench, **environment: str) -> Iterator[WebServer]:
        """Start the shipped program's web server with this contender's application in it."""
        port = free_port()
        shipped = processes.web(host="127.0.0.1", port=port).command
        command = [self.application if part == OUR_APPLICATION else part for part in shipped]
        log = bench.folder / f"web-{port}.log"
        with Process(command, bench.environment_for(self.database, **environment), log) as process:
            process.wait_for_port(port)
            yield WebServer(self, process, port)

    @contextmanager
    def work(self, bench: Bench) -> Iterator[Process]:
        """
        Start the worker and yield it: ours as it is shipped, the peer's as Celery's documentation starts one.

        Ours has its scheduler beside it, whose own time is not counted (what it makes the worker do is).
        """
        environment = bench.environment_for(self.database, PYTHONWARNINGS="ignore", LOG_LEVEL="WARNING")
        with ExitStack() as running:
            if self.name == OURS:
                command = list(processes.worker().command)
                beat = [*processes.beat().command, "--schedule", str(bench.folder / f"beat-{self.database}")]
                running.enter_context(Process(beat, environment, bench.folder / f"beat-{self.database}.log"))
            else:
                quiet = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
                celery = (sys.executable, "-m", "celery", "--quiet", "--app", "benchmarks.textbook.celery:app")
                command = [*celery, "worker", "--concurrency", PEER_CONCURRENCY, *quiet]
            log = bench.folder / f"worker-{self.database}.log"
            yield running.enter_context(Process(command, environment, log))

    def kept_count(self, bench: Bench) -> int:
        return bench.postgres.count(self.database, self.kept) if self.kept else 0

    def wait_until_done(self, bench: Bench, worker: Process) -> None:
        """Wait until everything that was received is processed."""

        def is_done() -> bool:
            worker.check_runs()
            return bench.postgres.count(self.database, self.waiting) == 0

        what = f"{self.name} has processed everything; the worker's log:\n{worker.log()[-2_000:]}"
        wait_until(is_done, seconds=DRAIN_SECONDS, what=what, step=LOOK_EVERY_SECONDS)


@dataclass(frozen=True)
class WebServer:
    contender: Contender
    process: Process
    port: int


def ours(bench: Bench, name: str, *, rules: int = 0) -> Contender:
    """Make a database of the program with a store, its connection and so many active automations."""
    if bench.template is None:
        bench.template = _template(bench)
    template = bench.template
    made = replace(template, database=bench.postgres.create(name, template.database))
    activate(bench, made, rules=rules)
    return made


def _template(bench: Bench) -> Contender:
    """Make the database that the others are copies of: copying is quicker than migrating."""
    database = bench.postgres.create("template")
    environment = bench.environment_for(database, DJANGO_SETTINGS_MODULE="insightarc_crm.settings")
    bench.run("django", "migrate", "--verbosity", "0", environment=environment)
    with inside(bench, database) as program:
        made = program.ask("set_up", url=URL + "{source_id}/", secret=SECRET, rules=_most_rules(bench))
    return Contender(
        name=OURS,
        application=OUR_APPLICATION,
        path=made["path"],
        database=database,
        url=made["url"],
        kept="webhooks_webhookdelivery",
        waiting="webhooks_inboxitem",
        api_key=made["api_key"],
    )


def noop(bench: Bench) -> Contender:
    """Return the view that does nothing."""
    return Contender(
        name=NOOP, application="benchmarks.noop.wsgi:application", path="/webhooks/insightarc/", database="postgres"
    )


def textbook(bench: Bench, name: str, *, rules: int = 0) -> Contender:
    """Make a database of the peer with so many active rules."""
    database = bench.postgres.create(name)
    environment = bench.environment_for(database, DJANGO_SETTINGS_MODULE="benchmarks.textbook.settings")
    bench.run("django", "migrate", "--verbosity", "0", environment=environment)
    for rule, trigger in traffic.triggers(rules):
        bench.postgres.ask(
            database,
            "INSERT INTO textbook_rule (name, version, is_active, trigger, wait_minutes, reentry_days) "
            "VALUES (%s, 1, true, %s, 45, 14)",
            (rule, Json(trigger)),
        )
    return Contender(
        name=TEXTBOOK,
        application="benchmarks.textbook.wsgi:application",
        path="/webhooks/insightarc/",
        database=database,
        kept="textbook_signal",
        waiting="textbook_signal WHERE processed_at IS NULL",
    )


def activate(bench: Bench, made: Contender, *, rules: int) -> None:
    """Let the first so many of the program's automations be active, and no others."""
    active = [name for name, _ in traffic.triggers(rules)]
    bench.postgres.ask(
        made.database,
        "UPDATE remarketing_remarketingrule SET status = CASE WHEN name = ANY(%s) THEN 'ACTIVE' ELSE 'PAUSED' END",
        (active,),
    )


def _most_rules(bench: Bench) -> int:
    return max(*bench.plan.rules, USUAL_RULES)
