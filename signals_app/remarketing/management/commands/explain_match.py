from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from signals_app.customers.models import Customer
from signals_app.remarketing import services
from signals_app.remarketing.models import RemarketingRule


class Command(BaseCommand):
    help = "Says as JSON why an automation acts for a profile, or why not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, type=UUID, metavar="ID")
        parser.add_argument("--rule", required=True, type=UUID, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        rule = RemarketingRule.objects.filter(pk=options["rule"]).select_related("project").first()
        if rule is None:
            raise CommandError(f"There is no automation {options['rule']}.")
        customer = Customer.objects.filter(pk=options["customer"], project=rule.project).first()
        if customer is None:
            raise CommandError(f"There is no profile {options['customer']} in the automation's store.")
        explanation = services.explain(customer=customer, rule=rule, now=timezone.now())
        self.stdout.write(json.dumps(explanation.as_json(), ensure_ascii=False, indent=2))
