"""How automations stand towards one profile now, for a person who compares two of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signals_app.customers.models import Customer
from signals_app.remarketing.constants import Arm, MatchState, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.situations import arm_of, roots_of, send_facts

MOST = 20
"""Waiting matches and automations that are named, at most."""


@dataclass(frozen=True)
class Standing:
    """`waiting`: (automation, when it is decided); `held_back`: automations of whose control group they are."""

    waiting: list[tuple[str, datetime]]
    held_back: list[str]
    mails_in_day: int
    mails_in_week: int
    max_per_day: int
    max_per_week: int


def standing_of(*, customer: Customer, now: datetime) -> Standing:
    """Return what waits for a profile, how many mails it got lately, and from which automations none."""
    project = customer.project
    policy = rule_services.policy_of(project)
    counted = send_facts(project=project, customer=customer, policy=policy, counts_waiting=True, without=None, now=now)
    waiting = RuleMatch.objects.filter(identifier__customer=customer, state=MatchState.PLANNED).order_by("due_at", "pk")
    root = roots_of([customer.pk]).get(customer.pk)
    rules = RemarketingRule.objects.filter(project=project, status=RuleStatus.ACTIVE)[:MOST] if root else []
    held_back = [rule.name for rule in rules if arm_of(rule, project, root or 0) == Arm.HOLDOUT]
    return Standing(
        waiting=list(waiting.values_list("rule__name", "due_at")[:MOST]),
        held_back=held_back,
        mails_in_day=counted.mails_in_day,
        mails_in_week=counted.mails_in_week,
        max_per_day=policy.max_per_day,
        max_per_week=policy.max_per_week,
    )
