"""The commands of the processes that make up the program."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

from django.conf import settings

from insightarc_crm import process_metrics
from insightarc_crm.supervisor import Service


def web(*, host: str, port: int) -> Service:
    """Return the web server."""
    return Service(
        "web",
        [
            *(sys.executable, "-m", "insightarc_crm.web_server", "insightarc_crm.wsgi:application"),
            *("--host", host, "--port", str(port)),
            *("--workers", str(settings.WEB_WORKERS), "--threads", str(settings.WEB_THREADS)),
        ],
        _measured(),
    )


def worker() -> Service:
    """Return the Celery worker. Its name is unique, since several may share one machine."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    name = f"worker-{os.getpid()}@%h"
    # Running as root is worth a warning to people who accept pickled messages; here JSON alone is.
    unwarned = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
    command = [*_celery(), "worker", "--hostname", name, "--loglevel", settings.LOG_LEVEL, *quiet]
    return Service("worker", command, unwarned | _measured())


def beat() -> Service:
    """
    Return the Celery scheduler, without a pid file: a leftover one would keep it from starting.

    It is ended by SIGKILL. Its own handler of SIGTERM closes the connection that it may be publishing on at that very
    moment, and then waits for ever for a lock of its own. It has nothing to lose: what it missed is due when it starts.
    """
    command = [*_celery(), "beat", "--pidfile", "", "--loglevel", "WARNING"]
    return Service("beat", command, stop_signal=signal.SIGKILL)


def manage(name: str, *arguments: str, waits_until: Callable[[], bool] | None = None) -> Service:
    """Return a management command as a process of its own."""
    return Service(name, [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments], waits_until=waits_until)


def is_port_free(host: str, port: int) -> bool:
    """Say whether a server can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _measured() -> dict[str, str]:
    """Return what makes a process share its metrics with the others of this host."""
    return {process_metrics.VARIABLE: str(settings.METRICS_DIR)}


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "insightarc_crm"]
