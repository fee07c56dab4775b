from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals_app.projects.models import Project
from signals_app.remarketing import services


class Command(BaseCommand):
    help = "Writes a store's automations as YAML, for import_rules."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no store “{options['slug']}”.")
        self.stdout.write(services.export_rules(project=project), ending="")
