"""`manage.py import_data`: import a list, as the admin's page does, in the foreground."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from signals_app.projects.models import Project
from signals_app.transfers import kinds, services
from signals_app.transfers.constants import ImportState
from signals_app.transfers.exceptions import ColumnsRefused, FileRefused, UnknownKind
from signals_app.transfers.models import ImportRun

PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = "Import a list from a CSV file, streamed; safe to repeat and to break off. Prints what it did as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = ", ".join(kind.name for kind in kinds.import_kinds())
        parser.add_argument("slug", metavar="SLUG", help="the store")
        parser.add_argument("kind", metavar="KIND", help=names)
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="HEADING=MEANING",
            help="what a column means, if its heading does not say so; an empty meaning leaves it out",
        )
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="an answer that holds for all rows"
        )
        parser.add_argument("--check", action="store_true", help="only say what would be done")

    def handle(self, **options: Any) -> None:
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no store “{options['slug']}”.")
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}.")
        try:
            run = _received(project, options)
            names = services.preview(run=run, rows=0).names
            said = _pairs(options["column"])
            services.choose_columns(
                run=run,
                columns=[said.get(name, guess) for name, guess in zip(names, run.columns, strict=True)],
                options={**run.options, **_pairs(options["option"])},
            )
        except ColumnsRefused as error:
            kind = kinds.import_kind(options["kind"])
            hints = ", ".join(column.name for column in kind.columns)
            questions = ", ".join(option.name for option in kind.options)
            raise CommandError(f"{error} Meanings of columns: {hints}. Options: {questions}.") from error
        except (FileRefused, UnknownKind) as error:
            raise CommandError(str(error)) from error
        services.start(run=run, is_check=options["check"], now=timezone.now())
        while services.continue_import(now=timezone.now(), run_id=run.pk).is_more:
            pass
        run.refresh_from_db()
        self.stdout.write(json.dumps(_report(run, names)))
        if run.state not in (ImportState.DONE, ImportState.CHECKED):
            raise CommandError(run.problem or "Another worker carries it on.")


def _received(project: Project, options: dict[str, Any]) -> ImportRun:
    with options["file"].open("rb") as file:
        return services.receive_file(
            project=project,
            kind=options["kind"],
            file=file,
            name=options["file"].name,
            by="a command",
            now=timezone.now(),
        )


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if any(not sign for _, sign, _ in pairs):
        raise CommandError("Write --column and --option as NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _report(run: ImportRun, names: list[str]) -> dict[str, Any]:
    return {
        "import": str(run.pk),
        "state": run.state.lower(),
        "rows": run.rows_read,
        "created": run.created_count,
        "updated": run.updated_count,
        "unchanged": run.unchanged_count,
        "failed": run.failed_count,
        "left_out_columns": [name for name, meaning in zip(names, run.columns, strict=True) if not meaning],
        "problems": [
            {"row": problem.row_number, "column": problem.column, "problem": problem.message}
            for problem in run.problems.order_by("row_number", "pk")[:PROBLEMS_SHOWN]
        ],
    }
