from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.shopper_signals import services

PAGE = 500


class Command(BaseCommand):
    help = (
        "Fold the stored signals of every profile anew, for after a change of the half-life or of the catalogue; "
        "prints the number of profiles as JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG", help="only these stores")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.all()
        if options["slugs"]:
            projects = projects.filter(slug__in=options["slugs"])
            missing = set(options["slugs"]) - set(projects.values_list("slug", flat=True))
            if missing:
                raise CommandError(f"There is no store “{'”, “'.join(sorted(missing))}”.")
        count = 0
        for customer in _all_customers(projects):
            count += services.refold(customer=customer, now=timezone.now()) is not None
        self.stdout.write(json.dumps({"profiles": count}))


def _all_customers(projects: QuerySet[Project]) -> Iterator[Customer]:
    """Return customers page by page: no cursor stays open while profiles are written."""
    customers = Customer.objects.filter(project__in=projects).select_related("project").order_by("pk")
    page = list(customers[:PAGE])
    while page:
        yield from page
        page = list(customers.filter(pk__gt=page[-1].pk)[:PAGE])
