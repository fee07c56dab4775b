from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals_app.customers import services
from signals_app.customers.models import Customer


class Command(BaseCommand):
    help = "Print everything that is kept about one shopper, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, metavar="ID", help="the profile's id")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = find_customer(options["customer"])
        self.stdout.write(json.dumps(services.export_customer(customer=customer), indent=2, ensure_ascii=False))


def find_customer(text: str) -> Customer:
    """Return the profile of this id, or end the command."""
    try:
        return Customer.objects.select_related("project").get(pk=text)
    except (Customer.DoesNotExist, ValidationError) as error:
        raise CommandError(f"There is no profile with the id {text}.") from error
