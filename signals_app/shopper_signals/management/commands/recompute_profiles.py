from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.projects.models import Project
from signals_app.shopper_signals import services
from signals_app.shopper_signals.constants import RecomputeState
from signals_app.shopper_signals.models import RecomputeRun

BAR_WIDTH = 30


class Command(BaseCommand):
    help = (
        "Fold the stored signals of every profile anew, for after a change of the half-life, the URL patterns or the "
        "catalogue; prints the number of profiles as JSON. Broken off, it goes on where it was when started again with "
        "--resume, and the workers go on with it meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG", help="only these stores")
        parser.add_argument("--resume", action="store_true", help="go on with what was begun and not finished")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.order_by("slug")
        if options["slugs"]:
            projects = projects.filter(slug__in=options["slugs"])
            missing = set(options["slugs"]) - set(projects.values_list("slug", flat=True))
            if missing:
                raise CommandError(f"There is no store “{'”, “'.join(sorted(missing))}”.")
        count = signals = 0
        for project in projects:
            run = self._recompute(project, resume=options["resume"])
            count += run.profiles_done
            signals += run.signals_read
        self.stdout.write(json.dumps({"profiles": count, "signals": signals}))

    def _recompute(self, project: Project, *, resume: bool) -> RecomputeRun:
        now = timezone.now()
        run = RecomputeRun.objects.filter(project=project, state=RecomputeState.RUNNING).first() if resume else None
        if run is None:
            run, _ = services.start_recompute(project=project, started_by="", now=now)
        while run.state == RecomputeState.RUNNING:
            # By the time that a person has typed the command, every process reads with the patterns of now.
            moment: datetime = max(timezone.now(), run.due_at)
            if not services.continue_recompute(now=moment, run=run):
                time.sleep(0.2)  # a worker is at it
            run.refresh_from_db()
            self._show(project, run)
        self.stderr.write("")
        return run

    def _show(self, project: Project, run: RecomputeRun) -> None:
        share = run.profiles_done / run.expected if run.expected else 1.0
        filled = round(min(1.0, share) * BAR_WIDTH)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        text = (
            f"\r{project.slug}: {bar} {run.profiles_done:,} of {run.expected:,} profiles, {run.signals_read:,} signals"
        )
        self.stderr.write(text, ending="")
        self.stderr.flush()
