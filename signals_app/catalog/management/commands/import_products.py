from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.catalog import services
from signals_app.catalog.models import ProductFeed
from signals_app.projects.models import Project


class Command(BaseCommand):
    help = "Import a Google Merchant product feed (CSV, tab-separated or XML) into a store; prints what it did as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the store")
        parser.add_argument("file", metavar="FILE", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no store “{options['slug']}”.")
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        # The same name again is the same feed, so that what the new file no longer lists becomes inactive.
        feed, _ = ProductFeed.objects.get_or_create(project=project, name=path.name[:100], url="")
        with path.open("rb") as file:
            previous = feed.upload.name
            feed.upload.save(path.name, File(file))
        if previous and previous != feed.upload.name:
            feed.upload.storage.delete(previous)
        report = services.import_feed(feed=feed, now=timezone.now())
        self.stdout.write(
            json.dumps(
                {
                    "imported": report.imported,
                    "created": report.created,
                    "changed": report.changed,
                    "deactivated": report.deactivated,
                    "rejected": report.rejected,
                    "errors": report.errors,
                    "problem": report.problem,
                }
            )
        )
        if not report.is_complete:
            raise CommandError(report.problem)
