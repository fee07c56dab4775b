"""`manage.py replay_deliveries`: process stored deliveries again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from signals_app.audit import services as audit
from signals_app.audit.constants import AuditAction
from signals_app.webhooks import services, wakeup
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSource

STATES = {
    "needs-fixing": InboxState.QUARANTINED,
    "set-aside": InboxState.SET_ASIDE,
    "paused": InboxState.PARKED,
    "processed": None,
}


class Command(BaseCommand):
    help = "Process stored deliveries again: safe to repeat, a signal that exists is not stored or acted on twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deliveries", nargs="*", help="ids; without any, all that the options select")
        parser.add_argument("--source", type=UUID, help="only of this connection")
        parser.add_argument(
            "--from", "--since", dest="since", type=_time, help="only received at or after this time (ISO 8601, UTC)"
        )
        parser.add_argument("--to", "--until", dest="until", type=_time, help="only received before this time")
        parser.add_argument("--state", choices=sorted(STATES), help="only those in this state")
        parser.add_argument("--quarantined", action="store_true", help="the same as --state needs-fixing")
        parser.add_argument("--all", action="store_true", help="really all, when nothing else selects")
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, **options: Any) -> None:
        chosen = _chosen(options)
        if options["dry_run"]:
            self.stdout.write(json.dumps({"selected": chosen.count(), "to_process": 0}))
            return
        selected = replayed = 0
        for found in services.in_slices(chosen):
            selected += len(found)
            replayed += services.replay_slice(delivery_ids=[pk for pk, _ in found], now=timezone.now())
            wakeup.wake_workers()
        self._note(chosen, replayed)
        self.stdout.write(json.dumps({"selected": selected, "to_process": replayed}))

    def _note(self, chosen: QuerySet[WebhookDelivery], replayed: int) -> None:
        sources = WebhookSource.objects.filter(pk__in=chosen.order_by().values("source"))
        for source in sources.select_related("project")[:100]:
            audit.note_command(
                project=source.project,
                action=AuditAction.DID,
                model="webhooks.webhooksource",
                object_id=source.pk,
                detail=f"Replay: {replayed} deliveries",
                now=timezone.now(),
            )


def _chosen(options: dict[str, Any]) -> QuerySet[WebhookDelivery]:
    state = "needs-fixing" if options["quarantined"] else options["state"]
    selects = {
        "pk__in": _ids(options["deliveries"]),
        "source": options["source"],
        "received_at__gte": options["since"],
        "received_at__lt": options["until"],
    }
    given = {lookup: value for lookup, value in selects.items() if value}
    if not (given or state or options["all"]):
        raise CommandError("Say which deliveries, or --all.")
    # What comes in while it runs is no part of it, or it might never end.
    until = min(options["until"] or timezone.now(), timezone.now())
    chosen = WebhookDelivery.objects.filter(**given | {"received_at__lte": until})
    if state:
        wanted = STATES[state]
        chosen = chosen.filter(inbox_item=None) if wanted is None else chosen.filter(inbox_item__state=wanted)
    elif not options["deliveries"]:
        # Somebody decided about these, one by one.
        chosen = chosen.exclude(pk__in=InboxItem.objects.filter(state=InboxState.SET_ASIDE).values("pk"))
    return chosen


def _ids(texts: list[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError as error:
        raise CommandError(f"Not the id of a delivery: {error}") from error


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
