"""What becomes of recipient activity when two profiles turn out to be one person's, or not to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from signals_app.customers.models import Customer
from signals_app.remarketing.constants import Arm, MatchState, Reason
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services.situations import arm_of, roots_of

DECIDED_STATES = (MatchState.QUEUED, MatchState.SKIPPED)
WAITED_TWICE = "waited twice after two profiles were joined; the later one goes on waiting"


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


def split_matches(parts: Sequence[Customer], now: datetime) -> None:
    """
    Give each of several customers who were one what their own recipient activity says.

    A match that was let go only because the other profile's waited too waits again, each waiting match has the arm of its
    own root, and who was in one arm only counts in results again.
    """
    roots = roots_of([customer.pk for customer in parts])
    for customer in parts:
        matches = (
            RuleMatch.objects.filter(identifier__customer=customer)
            .select_related("rule", "project")
            .order_by("triggered_at", "pk")
        )
        by_rule: dict[UUID, list[RuleMatch]] = defaultdict(list)
        for match in matches:
            by_rule[match.rule_id].append(match)
        is_mixed = [_split_rule(of_rule, roots[customer.pk]) for of_rule in by_rule.values()]
        if any(is_mixed):
            customer.has_mixed_arms = True
            customer.save(update_fields=["has_mixed_arms", "updated_at"])


def _merge_rule(matches: list[RuleMatch], root: int, now: datetime) -> bool:
    """Settle one rule's matches, oldest first, and return whether the person was in both arms of it."""
    waiting = [match for match in matches if match.state == MatchState.PLANNED]
    for match in waiting[:-1]:
        match.state, match.reason, match.decided_at = MatchState.SKIPPED, Reason.SKIPPED_REENTRY, now
        match.gates = [*match.gates, {"gate": "reentry", "passed": False, "detail": WAITED_TWICE}]
        match.save(update_fields=["state", "reason", "decided_at", "gates"])
    return _draw_again(matches, waiting, root)


def _split_rule(matches: list[RuleMatch], root: int) -> bool:
    """Settle one rule's matches of a customer who is their own again, and return whether they were in both arms of it."""
    waiting = [match for match in matches if match.state == MatchState.PLANNED]
    let_go = [match for match in matches if match.gates and match.gates[-1].get("detail") == WAITED_TWICE]
    if let_go and not waiting:
        match = let_go[-1]
        match.state, match.reason, match.decided_at, match.gates = MatchState.PLANNED, "", None, match.gates[:-1]
        match.save(update_fields=["state", "reason", "decided_at", "gates"])
        waiting = [match]
    return _draw_again(matches, waiting, root)


def _draw_again(matches: list[RuleMatch], waiting: list[RuleMatch], root: int) -> bool:
    """Give the match that waits its root's arm, and return whether one that was decided had another."""
    rule, project = matches[0].rule, matches[0].project
    arm = arm_of(rule, project, root)
    for match in waiting[-1:]:
        match.arm = arm
        match.save(update_fields=["arm"])
    return {Arm(match.arm) for match in matches if match.state in DECIDED_STATES and match not in waiting} - {
        arm
    } != set()
