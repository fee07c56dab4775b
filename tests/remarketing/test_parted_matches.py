"""What becomes of waiting mails and control groups when two profiles are joined and parted again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.projects.models import Project
from signals_app.remarketing.constants import Arm, MatchState, Reason
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.remarketing.schedule import zone_of
from signals_app.remarketing.services import merging
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.situations import arm_of, roots_of
from tests.remarketing.conftest import NOON


def shopper(project: Project, number: int) -> Identifier:
    customer_services.identify(
        project=project, identifiers={"external_id": str(number), "email": f"{number}@example.com"}, now=NOON
    )
    return Identifier.objects.get(project=project, kind="external_id", value=str(number))


def waiting(rule: RemarketingRule, identifier: Identifier, *, minutes: int) -> RuleMatch:
    return RuleMatch.objects.create(
        project=rule.project,
        rule=rule,
        rule_version=rule.version,
        identifier=identifier,
        entry_key=f"signal:{identifier.pk}",
        triggered_at=NOON,
        due_at=NOON + timedelta(minutes=minutes),
    )


@pytest.fixture
def rule(rules: dict[str, RemarketingRule]) -> RemarketingRule:
    return next(rule for rule in rules.values() if rule.entry_event == "SIGNAL")


def joined(one: Identifier, other: Identifier) -> IdentityEdge:
    customers = [Customer.objects.get(identifiers=identifier) for identifier in (one, other)]
    customer_services.merge(customer=customers[0], other=customers[1], by="Eve", now=NOON)
    return IdentityEdge.objects.get(evidence="PERSON")


def test_a_match_that_was_let_go_by_a_merge_waits_again(project: Project, rule: RemarketingRule) -> None:
    ada, bob = shopper(project, 1), shopper(project, 2)
    first, second = waiting(rule, ada, minutes=30), waiting(rule, bob, minutes=60)
    preview = customer_services.preview_merge(
        customer=Customer.objects.get(identifiers=ada), other=Customer.objects.get(identifiers=bob), now=NOON
    )
    let_go = {trait.label: trait.let_go for trait in preview.traits}["Waiting automations"]
    edge = joined(ada, bob)
    states = set(RuleMatch.objects.values_list("state", "reason"))

    customer_services.undo_link(edge=edge, by="Eve", now=NOON)

    assert len(let_go) == 1
    assert states == {(MatchState.PLANNED, ""), (MatchState.SKIPPED, Reason.SKIPPED_REENTRY)}
    for match in (first, second):
        due_at = match.due_at
        match.refresh_from_db()
        assert (match.state, match.reason, match.due_at, match.decided_at) == (MatchState.PLANNED, "", due_at, None)
        assert not any(gate["detail"] == merging.WAITED_TWICE for gate in match.gates)


def test_who_was_mixed_only_by_the_merge_counts_again(project: Project, rule: RemarketingRule) -> None:
    RemarketingRule.objects.filter(pk=rule.pk).update(holdout_percent=50)
    rule.refresh_from_db()
    of_arm: dict[Arm, Identifier] = {}
    for number in range(1, 40):
        one = shopper(project, number)
        root = roots_of([one.customer_id])[one.customer_id]
        spec = rule_services.spec_of(rule, rule_services.policy_of(project), zone=zone_of(project.time_zone))
        of_arm.setdefault(arm_of(spec, project, root), one)
        if len(of_arm) == 2:
            break
    for arm, identifier in of_arm.items():
        match = waiting(rule, identifier, minutes=0)
        RuleMatch.objects.filter(pk=match.pk).update(
            state=MatchState.SKIPPED, reason=Reason.SKIPPED_HOLDOUT, arm=arm, decided_at=NOON
        )
    edge = joined(*of_arm.values())
    mixed = Customer.objects.filter(has_mixed_arms=True).count()

    customer_services.undo_link(edge=edge, by="Eve", now=NOON)

    assert mixed == 1
    assert not Customer.objects.filter(has_mixed_arms=True).exists()
