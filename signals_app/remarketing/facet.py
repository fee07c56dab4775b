"""What automations know about a person: their recipient activity."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from signals_app.customers import newest
from signals_app.customers.facets import (
    ErasePart,
    Excerpt,
    ExportTable,
    Facet,
    Step,
    Subject,
    TimelineEntry,
    Tone,
    Trait,
    deleting,
)
from signals_app.customers.forgetting import rewriting
from signals_app.customers.models import Customer
from signals_app.customers.traits import moment
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.decision import GATE_NAMES
from signals_app.remarketing.models import RuleMatch, RuleVariant
from signals_app.remarketing.services import erased_results, forgetting, merging, standing


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
    title, detail = f"Automation “{match.rule.name}”", _detail(match)
    tone: Tone = "info"
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
        tone=tone,
        reference=str(match.pk),
    )


def _detail(match: RuleMatch) -> str:
    """Return what the gate that decided found."""
    name = GATE_NAMES.get(Reason(match.reason)) if match.reason else None
    return next((gate["detail"] for gate in match.gates if gate["gate"] == name), "")


def _activity(customer: Customer) -> Iterator[dict[str, Any]]:
    matches = RuleMatch.objects.filter(identifier__customer=customer).select_related("rule").order_by("pk")
    for match in matches.iterator(chunk_size=500):
        yield {
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


def _theirs(subject: Subject) -> QuerySet[RuleMatch]:
    of_orders = RuleMatch.objects.filter(order__identifier__customer=subject.customer).values("pk")
    return RuleMatch.objects.filter(Q(identifier__customer=subject.customer) | Q(pk__in=of_orders))


def _count_results(subject: Subject, place: str, limit: int) -> Step:
    return Step(erased_results.count_shopper(customer=subject.customer))


def describe(customer: Customer, now: datetime) -> list[Trait]:
    found = standing.standing_of(customer=customer, now=now)
    waiting = tuple(f"{name}, due {moment(due_at)}" for name, due_at in found.waiting)
    return [
        Trait("Waiting automations", "" if waiting else "None", waiting),
        Trait(
            "Frequency limit",
            f"{found.mails_in_day} of {found.max_per_day} in 24 hours, {found.mails_in_week} of {found.max_per_week} in 7 days",
        ),
        Trait("In the control group of", "" if found.held_back else "None", tuple(found.held_back)),
        Trait("Counts in results", "No: was in both groups" if customer.has_mixed_arms else "Yes"),
    ]


FACET = Facet(
    name="automations",
    label="Automations",
    models=(RuleMatch,),
    timeline=timeline,
    tables=(
        ExportTable(
            "recipient_activity",
            "Which automations considered you, and why they wrote or did not",
            _activity,
            {
                "automation": "Automation",
                "state": "State",
                "reason": "Why",
                "triggered_at": "When",
                "decided_at": "Decided",
            },
            dict(MatchState.choices) | dict(Reason.choices),
        ),
    ),
    parts=(
        ErasePart(
            "Results that they count in",
            _count_results,
            outcome="made anonymous",
            why="only numbers of a day stay, so that the results of automations do not change",
        ),
        ErasePart("Recipient activity", deleting(_theirs, erased_results.delete_matches)),
        ErasePart(
            "Automations that name them",
            forgetting.take_out_of_rules,
            outcome="made anonymous",
            why="name and conditions say “(erased person)” instead, which finds nobody; the conditions in a new version",
            is_search=True,
        ),
        ErasePart(
            "Recipient activity of others that quotes these conditions",
            forgetting.take_out_of_activity,
            outcome="made anonymous",
            is_search=True,
        ),
        ErasePart(
            "Earlier versions of automations that name them",
            forgetting.take_out_of_versions,
            outcome="made anonymous",
            is_search=True,
        ),
        ErasePart(
            "Variations whose name names them",
            rewriting(lambda subject: RuleVariant.objects.filter(rule__project=subject.customer.project), "name"),
            outcome="made anonymous",
            is_search=True,
        ),
    ),
    merge=merging.merge_matches,
    kinds={"automation": "Automations"},
    split=merging.split_matches,
    describe=describe,
)
