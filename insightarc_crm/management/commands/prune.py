"""`manage.py prune`: delete what has been kept long enough."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from insightarc_crm.retention import count_all, prune_all

AN_HOUR = 3_600.0


class Command(BaseCommand):
    help = (
        "Delete what has been kept longer than the settings say, in small slices. The workers do it every hour; it may "
        "be ended and begun again at any moment."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be deleted")
        parser.add_argument("--seconds", type=float, default=AN_HOUR, help="for how long at most")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            self.stdout.write(json.dumps({"would_delete": count_all(now=now)}))
            return
        counts, is_all = prune_all(now=now, seconds=options["seconds"])
        self.stdout.write(json.dumps({"deleted": counts, "is_all": is_all}))
