"""`manage.py replay_deliveries`: process stored deliveries again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from signals_app.webhooks import services, wakeup
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import WebhookDelivery


class Command(BaseCommand):
    help = "Process stored deliveries again: safe to repeat, a signal that exists is not stored or acted on twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deliveries", nargs="*", help="ids; without any, all that the options select")
        parser.add_argument("--source", type=UUID, help="only of this connection")
        parser.add_argument("--since", type=_time, help="only received at or after this time (ISO 8601, UTC)")
        parser.add_argument("--until", type=_time, help="only received before this time")
        parser.add_argument("--quarantined", action="store_true", help="only those that need fixing")
        parser.add_argument("--all", action="store_true", help="really all, when nothing else selects")

    def handle(self, **options: Any) -> None:
        chosen = WebhookDelivery.objects.order_by("received_at", "pk")
        selects = {
            "pk__in": _ids(options["deliveries"]),
            "source": options["source"],
            "received_at__gte": options["since"],
            "received_at__lt": options["until"],
            "inbox_item__state": InboxState.QUARANTINED if options["quarantined"] else None,
        }
        given = {lookup: value for lookup, value in selects.items() if value}
        if not given and not options["all"]:
            raise CommandError("Say which deliveries, or --all.")
        # Read whole before the first is put back: what is replayed may leave the selection.
        deliveries = list(chosen.filter(**given).only("pk", "source"))
        replayed = services.replay(deliveries=deliveries, now=timezone.now())
        wakeup.wake_workers()
        self.stdout.write(json.dumps({"selected": len(deliveries), "to_process": replayed}))


def _ids(texts: list[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError as error:
        raise CommandError(f"Not the id of a delivery: {error}") from error


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
