from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from django.utils import timezone

from insightarc_crm.project_setup import Examples, set_up_project
from signals_app.audit import services as audit
from signals_app.audit.constants import AuditAction
from signals_app.webhooks.exceptions import InvalidConfiguration

OPTION_OF = {"registered_urls": "--webhook-url", "secret": "--secret"}


class Command(BaseCommand):
    help = "Create or update a store with its Insightarc connection; prints one JSON line last with --json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the store's short name, e.g. nordlicht")
        parser.add_argument(
            "--webhook-url",
            required=True,
            help="the address exactly as given to Insightarc; {source_id} is replaced by the connection's id",
        )
        parser.add_argument("--secret", help="the webhook secret from Insightarc's project settings, Webhook tab")
        parser.add_argument("--with-examples", action="store_true", help="add the example templates and automations")
        parser.add_argument("--wait-minutes", type=int, help="wait of the examples; 0: at once, at any hour")
        parser.add_argument("--holdout", type=int, metavar="PERCENT", help="control group of the examples")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        check_options(options)
        examples = Examples(wait_minutes=options["wait_minutes"], holdout_percent=options["holdout"])
        try:
            result = set_up_project(
                slug=options["slug"],
                webhook_url=options["webhook_url"],
                secret=options["secret"],
                examples=examples if options["with_examples"] else None,
                now=timezone.now(),
            )
        except InvalidConfiguration as error:
            raise CommandError(f"{OPTION_OF[error.field]}: {error.message}") from error
        audit.note_command(
            project=result.project,
            action=AuditAction.CHANGED,
            model="projects.project",
            object_id=result.project.pk,
            object_name=result.project.name,
            detail="set up",
            now=timezone.now(),
        )
        facts = {
            "project": result.project.slug,
            "source_id": str(result.source.id),
            "webhook_path": result.webhook_path,
            "webhook_url": result.webhook_url,
            "secret": result.secret,
            "api_key": result.api_key,
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value if value is not None else '-'}")


def check_options(options: dict[str, Any]) -> None:
    try:
        validate_slug(options["slug"])
    except ValidationError as error:
        raise CommandError("SLUG: letters, digits, hyphens and underscores only.") from error
    if options["wait_minutes"] is not None and options["wait_minutes"] < 0:
        raise CommandError("--wait-minutes: must be 0 or more.")
    if options["holdout"] is not None and not 0 <= options["holdout"] <= 50:
        raise CommandError("--holdout: must be between 0 and 50.")
