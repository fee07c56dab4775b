"""A date in an automation's profile filters is one on the store's clock, also after the store got another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from signals_app.customers.models import Customer
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import MatchState
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from tests.remarketing.conftest import NOON

MIDNIGHT_IN_BERLIN = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)


@pytest.fixture
def rule(rules: dict[str, RemarketingRule]) -> RemarketingRule:
    rule = rules["Leaving with interest"]
    rule.audience = {"field": "created_at", "op": "gte", "value": "2026-11-24"}
    return services.save_rule(rule=rule)


@pytest.fixture
def enter(rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any) -> Any:
    """Let a shopper, whose profile is as old as the day in Berlin, do what the rule waits for."""

    def enter(email: str) -> Customer:
        Customer.objects.filter(pk=allow_mail(email).pk).update(created_at=MIDNIGHT_IN_BERLIN)
        visit(email=email, user_id=email)
        run_due(NOON)
        return Customer.objects.get(email=email)

    return enter


def filter_of(customer: Customer, rule: RemarketingRule) -> tuple[bool, str]:
    rule.refresh_from_db()
    found = services.explain(customer=customer, rule=rule, now=NOON).as_json()
    return next((gate["passed"], gate["detail"]) for gate in found["gates"] if gate["gate"] == "profile_filter")


def test_a_filter_by_a_day_follows_the_stores_clock(project: Project, rule: RemarketingRule, enter: Any) -> None:
    anna = enter("anna@example.com")
    in_berlin = filter_of(anna, rule)
    Project.objects.filter(pk=project.pk).update(time_zone="America/New_York")
    ben = enter("ben@example.com")

    waiting = RuleMatch.objects.filter(rule=rule, state=MatchState.PLANNED)
    assert set(waiting.values_list("identifier__customer", flat=True)) == {anna.pk}
    assert rule.version == RemarketingRule.objects.get(pk=rule.pk).version
    assert in_berlin == (True, "Profile since is on or after 24 Nov 2026, 00:00")
    assert filter_of(ben, rule) == (
        False,
        "does not hold: Profile since is on or after 24 Nov 2026, 00:00 (found: 23 Nov 2026, 18:00)",
    )


def test_its_pages_and_its_activity_say_the_day_as_typed(
    project: Project, rule: RemarketingRule, enter: Any, sign_in: Any
) -> None:
    anna = enter("anna@example.com")
    browser = sign_in(Role.MARKETER)

    page = browser.get(f"/admin/remarketing/remarketingrule/{rule.pk}/change/").content.decode()
    query = {"profile": str(anna.pk), "rule": str(rule.pk)}
    explained = browser.get("/admin/remarketing/rulematch/explain/", query).content.decode()

    assert "Profile since is on or after 24 Nov 2026, 00:00" in page
    assert "Profile since is on or after 24 Nov 2026, 00:00" in explained
    gates = {gate["gate"]: gate["detail"] for gate in RuleMatch.objects.get(rule=rule).gates}
    assert gates["profile_filter"] == "Profile since is on or after 24 Nov 2026, 00:00"
