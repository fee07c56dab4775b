"""Run everything with a demo store and a simulated shop; what `make demo` starts."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from insightarc_crm import processes
from insightarc_crm.demo.accounts import ACCOUNTS, PASSWORD
from insightarc_crm.demo.history import SHOPPERS
from insightarc_crm.demo.seed import shop_key
from insightarc_crm.supervisor import Supervisor
from signals_app.core import http
from signals_app.core.exceptions import TransientError
from signals_app.emails import delivery
from signals_app.webhooks.models import WebhookSource
from signals_app.webhooks.services import webhook_path

HOST = "127.0.0.1"


class Command(BaseCommand):
    help = "Migrate, make the demo store, and run web, worker, beat and a simulated shop until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not delivery.is_local():
            raise CommandError(
                "The demo invents shoppers; it runs with the local mailbox only. Unset EMAIL_URL and EMAIL_BACKEND."
            )
        if not processes.is_port_free(HOST, port):
            raise CommandError(f"Something else listens on {HOST}:{port}: choose another port, `make demo PORT=8001`.")
        self.stdout.write("Preparing the database and the demo store (the first time takes a moment) ...")
        try:
            call_command("migrate", verbosity=0)
            call_command("seed_demo")
        except KeyboardInterrupt:
            raise CommandError("Stopped while preparing; started again, it goes on.") from None
        url = f"http://{HOST}:{port}"
        simulator = simulator_arguments(url)
        connections.close_all()
        services = [
            processes.web(host=HOST, port=port),
            processes.worker(),
            processes.beat(),
            processes.manage(
                "simulator", *simulator, waits_until=once_ready(url, lambda: self.stdout.write(welcome(url)))
            ),
        ]
        Supervisor(services, directory=settings.BASE_DIR).run()


def simulator_arguments(url: str) -> list[str]:
    """Return the call of Insightarc's twin for the demo store's connection, half of its shoppers being new ones."""
    source = (
        WebhookSource.objects.of_insightarc()
        .select_related("project")
        .filter(project__is_demo=True)
        .earliest("created_at")
    )
    secret = source.secrets.latest("created_at")
    return [
        "simulate_insightarc",
        *("--url", source.registered_urls[0], "--secret", secret.secret),
        *("--post-to", f"{url}{webhook_path(source.id)}"),
        *("--seconds", "0", "--shoppers", str(SHOPPERS * 2), "--shop-url", source.project.shop_url),
        *("--api-key", shop_key(source.project, now=timezone.now())),
    ]


def once_ready(url: str, announce: Callable[[], object]) -> Callable[[], bool]:
    """Return a check whether the web server is ready, which announces the first time that it is."""
    announced: list[bool] = []

    def is_ready() -> bool:
        try:
            answer = http.request("GET", f"{url}/readyz", timeout=1, allow_private=[ip_network(f"{HOST}/32")])
        except TransientError:
            return False
        if answer.status_code == 200 and not announced:
            announced.append(True)
            announce()
        return answer.status_code == 200

    return is_ready


def welcome(url: str) -> str:
    """Return where to go and as whom."""
    line = "-" * 78
    logins = [f"  Log in as     {account.email:<24} password  {PASSWORD}" for account in ACCOUNTS]
    return "\n".join(
        [
            line,
            f"  Admin         {url}{reverse('admin:index')}",
            *logins,
            f"  Mails         {url}{reverse('admin:emails_mailboxmail_changelist')}",
            f"  API           {url}/api/v1/docs/",
            "",
            "  A simulated shop posts signals now; the first new mail comes within a minute.",
            "  Ctrl-C ends everything. Started again, it continues.",
            line,
        ]
    )
