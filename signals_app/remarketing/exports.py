"""Recipient activity as a list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from signals_app.customers.exports import as_json, by_id, counted, everything
from signals_app.remarketing.models import RuleMatch
from signals_app.transfers.kinds import ExportContext, ExportKind, Page, no_parameters


def _matches(context: ExportContext) -> QuerySet[RuleMatch]:
    return RuleMatch.objects.filter(project=context.project, created_at__lte=context.now)


def _page(context: ExportContext, after: Any, limit: int) -> Page:
    related = ("rule", "identifier__customer", "variant")
    found, following = by_id(_matches(context).select_related(*related).defer("values", "gates"), after, limit)
    rows = [
        [
            match.rule.name,
            str(match.identifier.customer_id),
            match.identifier.customer.email,
            match.get_state_display(),
            match.get_reason_display() if match.reason else "",
            match.get_arm_display(),
            match.variant.name if match.variant else "",
            match.triggered_at,
            match.due_at,
            match.decided_at,
        ]
        for match in found
    ]
    return Page(rows, as_json(following))


ACTIVITY_EXPORT = ExportKind(
    name="activity",
    label="Recipient activity",
    explanation="Whom automations had in hand, what became of it, and why.",
    columns=lambda context: [
        *("Automation", "Profile", "E-mail", "State", "Reason", "Group", "Variation", "Triggered", "Due", "Decided"),
    ],
    page=_page,
    count=lambda context: counted(_matches(context)),
    check=no_parameters,
    words=everything,
)
