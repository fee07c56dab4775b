"""What automations know about a person: their recipient activity."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from signals_app.customers import newest
from signals_app.customers.facets import Excerpt, Facet, TimelineEntry
from signals_app.customers.models import Customer
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.decision import GATE_NAMES
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services import merging


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    matches = (
        RuleMatch.objects.filter(identifier__customer=customer)
        .annotate(at=Coalesce("decided_at", "created_at"))
        .select_related("rule")
    )
    return [
        _entry(match, match.decided_at or match.created_at)
        for match in newest.ordered(matches, excerpt, kind="automation", at="at")
    ]


def _entry(match: RuleMatch, at: datetime) -> TimelineEntry:
    title, tone = f"Automation “{match.rule.name}”", "info"
    detail = _detail(match)
    match match.state:
        case MatchState.PLANNED:
            title += ": waiting"
            detail = f"until {match.due_at:%-d %b %Y, %H:%M} UTC" + (f" – {detail}" if detail else "")
        case MatchState.QUEUED:
            title, tone = f"{title}: mail queued", "good"
        case MatchState.EXPIRED:
            title, tone = f"{title}: too late", "warn"
        case _:
            title, tone = f"{title}: skipped, {Reason(match.reason).label.lower()}", "warn"
    return TimelineEntry(
        at=at,
        kind="automation",
        title=title,
        detail=detail,
        tone="good" if tone == "good" else "warn" if tone == "warn" else "info",
        reference=str(match.pk),
    )


def _detail(match: RuleMatch) -> str:
    """Return what the gate that decided found."""
    name = GATE_NAMES.get(Reason(match.reason)) if match.reason else None
    return next((gate["detail"] for gate in match.gates if gate["gate"] == name), "")


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    matches = RuleMatch.objects.filter(identifier__customer=customer).select_related("rule").order_by("pk")
    return {
        "recipient_activity": [
            {
                "automation": match.rule.name,
                "state": match.state,
                "reason": match.reason,
                "control_group": match.arm,
                "triggered_at": match.triggered_at.isoformat(),
                "due_at": match.due_at.isoformat(),
                "decided_at": match.decided_at.isoformat() if match.decided_at else None,
                "values": match.values,
                "gates": match.gates,
            }
            for match in matches
        ]
    }


def erase(customer: Customer) -> int:
    deleted, _ = RuleMatch.objects.filter(
        Q(identifier__customer=customer) | Q(order__identifier__customer=customer)
    ).delete()
    return deleted


FACET = Facet(
    name="automations",
    label="Automations",
    models=(RuleMatch,),
    timeline=timeline,
    export=export,
    erase=erase,
    merge=merging.merge_matches,
    kinds={"automation": "Automations"},
)
