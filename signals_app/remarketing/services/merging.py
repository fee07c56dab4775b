"""What becomes of recipient activity when two profiles turn out to be one person's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from signals_app.customers.models import Customer
from signals_app.remarketing.constants import Arm, MatchState, Reason
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.situations import arm_of, roots_of

DECIDED_STATES = (MatchState.QUEUED, MatchState.SKIPPED)


def merge_matches(keep: Customer, gone: Sequence[Customer], now: datetime) -> None:
    """
    Make the recipient activity of joined profiles one person's.

    Matches hang on identifiers and so move by themselves. Of two that wait for the same automation the later goes on
    waiting. The older root's arm holds from now on; if any of them was treated by another arm before, the customer is
    marked mixed and left out of results.
    """
    matches = (
        RuleMatch.objects.filter(identifier__customer__in=[keep.pk, *(one.pk for one in gone)])
        .select_related("rule", "project")
        .order_by("triggered_at", "pk")
    )
    by_rule: dict[UUID, list[RuleMatch]] = defaultdict(list)
    for match in matches:
        by_rule[match.rule_id].append(match)
    if not by_rule:
        return
    roots = roots_of([keep.pk, *(one.pk for one in gone)])
    root = min(roots.values())
    is_mixed = [_merge_rule(of_rule, root, now) for of_rule in by_rule.values()]
    if any(is_mixed) and not keep.has_mixed_arms:
        keep.has_mixed_arms = True
        keep.save(update_fields=["has_mixed_arms", "updated_at"])


def _merge_rule(matches: list[RuleMatch], root: int, now: datetime) -> bool:
    """Settle one rule's matches, oldest first, and return whether the person was in both arms of it."""
    rule, project = matches[0].rule, matches[0].project
    arm = arm_of(rule_services.spec_of(rule, rule_services.policy_of(project)), project, root)
    waiting = [match for match in matches if match.state == MatchState.PLANNED]
    for match in waiting[:-1]:
        match.state, match.reason, match.decided_at = MatchState.SKIPPED, Reason.SKIPPED_REENTRY, now
        detail = "waited twice after two profiles were joined; the later one goes on waiting"
        match.gates = [*match.gates, {"gate": "reentry", "passed": False, "detail": detail}]
        match.save(update_fields=["state", "reason", "decided_at", "gates"])
    for match in waiting[-1:]:
        match.arm = arm
        match.save(update_fields=["arm"])
    return {Arm(match.arm) for match in matches if match.state in DECIDED_STATES and match not in waiting} - {
        arm
    } != set()
