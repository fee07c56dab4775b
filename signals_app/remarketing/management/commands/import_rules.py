from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.audit import services as audit
from signals_app.audit.constants import AuditAction
from signals_app.projects.models import Project
from signals_app.remarketing import services


class Command(BaseCommand):
    help = "Creates or changes a store's automations as a YAML file says; all of them, or none if one is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("file", type=Path, metavar="FILE.yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no store “{options['slug']}”.")
        try:
            rules = services.import_rules(project=project, text=options["file"].read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, services.InvalidRuleFile) as error:
            raise CommandError(str(error)) from error
        audit.note_command(
            project=project,
            action=AuditAction.CHANGED,
            model="remarketing.remarketingrule",
            detail=f"{len(rules)} automations imported from a file",
            now=timezone.now(),
        )
        self.stdout.write(f"{len(rules)} automations imported.")
