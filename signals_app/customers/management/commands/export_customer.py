from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.audit import services as audit
from signals_app.audit.constants import AuditAction
from signals_app.customers import services
from signals_app.customers.models import Customer


class Command(BaseCommand):
    help = "Print everything that is kept about one shopper, as JSON; or write it into a ZIP that a person can read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, metavar="ID", help="the profile's id")
        parser.add_argument("--zip", type=Path, metavar="FILE", help="write a ZIP there instead")

    def handle(self, *args: Any, **options: Any) -> None:
        customer, now = find_customer(options["customer"]), timezone.now()
        audit.note_command(
            project=customer.project,
            action=AuditAction.EXPORTED,
            model="customers.customer",
            object_id=customer.pk,
            now=now,
        )
        if options["zip"]:
            self._write(options["zip"], services.archive_of(customer=customer, now=now))
            return
        self.stdout.write(json.dumps(services.export_customer(customer=customer), indent=2, ensure_ascii=False))

    def _write(self, path: Path, archive: Iterator[bytes]) -> None:
        try:
            # For nobody else's eyes, and never over a file that is there.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines(archive)
        except OSError as error:
            raise CommandError(f"{path} could not be written: {error.strerror}.") from error
        self.stdout.write(json.dumps({"file": str(path), "bytes": path.stat().st_size}))


def find_customer(text: str) -> Customer:
    """Return the profile of this id, or end the command."""
    try:
        return Customer.objects.select_related("project").get(pk=text)
    except (Customer.DoesNotExist, ValidationError) as error:
        raise CommandError(f"There is no profile with the id {text}.") from error
