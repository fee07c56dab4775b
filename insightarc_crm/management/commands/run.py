"""Start the program on this machine: web, worker and beat under one parent."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from insightarc_crm import checks, logs, processes
from insightarc_crm.health import unapplied_migrations
from insightarc_crm.supervisor import Service, Supervisor


class Command(BaseCommand):
    help = "Run web, worker and beat on this machine until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--web-only", action="store_true", help="start the web server only")
        choice.add_argument("--worker-only", action="store_true", help="start worker and beat only")
        choice.add_argument("--beat-only", action="store_true", help="start beat only")
        parser.add_argument("--no-beat", action="store_true", help="no beat: another machine runs it")

    def handle(self, *args: Any, **options: Any) -> None:
        services = chosen_services(**options)
        missing = unapplied_migrations()
        if missing:
            raise CommandError(f"The database lacks {len(missing)} migrations: run `manage.py migrate` first.")
        self._look_at_secrets()
        connections.close_all()
        present = logs.present_json_line if settings.LOG_FORMAT == "json" else None
        if any(service.name == "web" for service in services):
            listening = f"Listening on http://{options['host']}:{options['port']} (Ctrl-C ends everything)"
            self.stdout.write(present("run", listening) if present else listening)
        Supervisor(services, directory=settings.BASE_DIR, present=present).run()

    def _look_at_secrets(self) -> None:
        readable, unreadable = checks.readable_secrets()
        if unreadable and not readable:
            raise CommandError(
                "The secrets in this database were encrypted with keys that this host does not have: set "
                "FIELD_ENCRYPTION_KEYS (and SECRET_KEY) to what the other hosts use. A host that made its keys itself "
                f"has them in its DATA_DIR, in the files field_encryption_key and secret_key; this one's is {settings.DATA_DIR}."
            )
        if unreadable:
            self.stderr.write(f"{unreadable} secrets in this database cannot be read with FIELD_ENCRYPTION_KEYS.")


def chosen_services(
    *, host: str, port: int, web_only: bool, worker_only: bool, beat_only: bool, no_beat: bool, **options: Any
) -> list[Service]:
    """
    Return the services that the options ask for.

    :raises CommandError: if the port is taken.
    """
    services = []
    if not (worker_only or beat_only):
        if not processes.is_port_free(host, port):
            raise CommandError(f"Something else listens on {host}:{port}: choose another port with --port.")
        services.append(processes.web(host=host, port=port))
    if not (web_only or beat_only):
        services.append(processes.worker())
    if beat_only or not (web_only or no_beat):
        services.append(processes.beat())
    return services
