from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.audit import services as audit
from signals_app.audit.constants import COMMAND, AuditAction
from signals_app.customers import services
from signals_app.customers.management.commands.export_customer import find_customer


class Command(BaseCommand):
    help = "Delete everything that is kept about one shopper, for good; prints what was deleted as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, metavar="ID", help="the profile's id")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = find_customer(options["customer"])
        if not options["yes"] and not self._is_confirmed(str(customer)):
            raise CommandError("Nothing was deleted.")
        now = timezone.now()
        erased = services.erase_customer(customer=customer, by=COMMAND, now=now)
        audit.note_command(
            project=customer.project,
            action=AuditAction.ERASED,
            model="customers.customer",
            object_id=customer.pk,
            now=now,
        )
        self.stdout.write(json.dumps({"customer": str(customer.pk), "erased": erased}))

    def _is_confirmed(self, name: str) -> bool:
        try:
            return input(f"Delete everything about “{name}”, for good? [yes/no] ").strip().lower() == "yes"
        except EOFError:
            return False
