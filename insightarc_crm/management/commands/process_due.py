from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from insightarc_crm.due_work import process_due


class Command(BaseCommand):
    help = "Do everything that is due (inbox, matches, mails) in the foreground; prints the counts as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(process_due(clock=timezone.now)))
