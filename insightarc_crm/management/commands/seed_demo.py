from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from insightarc_crm.demo.seed import seed_demo


class Command(BaseCommand):
    help = "Make the demo store with thirty days of history, or bring it up to now."

    def handle(self, *args: Any, **options: Any) -> None:
        def report(day: str) -> None:
            self.stdout.write(f"\r  lived until {day}", ending="")
            self.stdout.flush()

        project = seed_demo(now=timezone.now(), report=report)
        self.stdout.write(f"\nThe demo store “{project}” is ready.")
