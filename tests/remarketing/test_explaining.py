from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from tests.remarketing.conftest import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def explained(customer: Customer, rule: RemarketingRule, now: Any = NOON) -> dict[str, Any]:
    answer = services.explain(customer=customer, rule=rule, now=now).as_json()
    return json.loads(json.dumps(answer))


@pytest.fixture
def rule(rules: dict[str, RemarketingRule]) -> RemarketingRule:
    return rules["Leaving with interest"]


class TestExplain:
    def test_says_what_a_waiting_match_waits_for(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, shopper: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)

        answer = explained(shopper(), rule)

        assert (answer["outcome"], answer["reason"]) == ("send", "MATCHED")
        assert answer["due_at"] == (NOON + 45 * MINUTE).isoformat()
        assert answer["match"]["state"] == "planned"
        assert all(condition["holds"] for condition in answer["conditions"])
        assert answer["values"]["drop_proba"] == 0.97

    def test_shows_the_nearest_miss_with_what_was_missing(
        self, rule: RemarketingRule, post_signal: Any, example_body: Any, run_due: Any, shopper: Any
    ) -> None:
        post_signal(example_body(drop_proba=0.1, num_events=2), at=NOON - HOUR)
        post_signal(example_body(drop_proba=0.79, num_events=50), at=NOON - MINUTE)
        post_signal(example_body(drop_proba=0.2, num_events=1), at=NOON)
        run_due(NOON)
        before = RuleMatch.objects.count()

        answer = explained(shopper(), rule)

        assert (answer["outcome"], answer["reason"]) == ("skip", "SKIPPED_TRIGGER")
        assert "Exit likelihood is at least 80 % (found: 20 %)" in answer["detail"]
        missing = [condition["sentence"] for condition in answer["nearest_miss"]["failed"]]
        assert "Exit likelihood is at least 80 %" in missing
        assert answer["nearest_miss"]["at"] == (NOON - MINUTE).isoformat()
        assert RuleMatch.objects.count() == before

    def test_lists_every_gate_also_after_the_one_that_decides(
        self, rule: RemarketingRule, visit: Any, run_due: Any, shopper: Any
    ) -> None:
        visit()
        run_due(NOON)
        services.pause(rule=rule)

        answer = explained(shopper(), rule)

        assert answer["reason"] == "SKIPPED_RULE_INACTIVE"
        closed = {gate["gate"]: gate["detail"] for gate in answer["gates"] if not gate["passed"]}
        assert closed == {"active": "it is paused", "consent": "never asked"}
        assert len(answer["gates"]) == 17

    def test_takes_no_order_for_the_first_because_it_looks_at_no_earlier_ones(
        self, project: Project, rules: dict[str, RemarketingRule], shopper: Any
    ) -> None:
        rule = rules["Thank-you"]
        rule.trigger = {"field": "order_is_first", "op": "is_false"}
        services.save_rule(rule=rule)
        for number in range(51):
            customer_services.record_order(
                project=project,
                identifiers={"email": "anna@example.com"},
                order_id=str(number),
                total=Decimal(10),
                currency="EUR",
                placed_at=NOON - (60 - number) * DAY,
                now=NOON,
            )

        assert explained(shopper(), rule)["nearest_miss"] is None

    def test_explains_an_order_rule_by_the_latest_order(
        self, project: Project, rules: dict[str, RemarketingRule], allow_mail: Any
    ) -> None:
        customer = allow_mail()
        customer_services.record_order(
            project=project,
            identifiers={"email": "anna@example.com"},
            order_id="1001",
            total=Decimal("10"),
            currency="EUR",
            placed_at=NOON - 30 * DAY,
            now=NOON,
        )

        answer = explained(customer, rules["Thank-you"])

        assert answer["reason"] == "SKIPPED_TOO_LATE"
        assert answer["values"]["order_total"] == 10

    def test_says_when_nothing_ever_happened(self, rule: RemarketingRule, allow_mail: Any) -> None:
        answer = explained(allow_mail(), rule)

        assert (answer["outcome"], answer["reason"]) == ("skip", "SKIPPED_TRIGGER")
        assert answer["gates"] == []
        assert answer["nearest_miss"] is None


class TestCommand:
    def test_prints_json(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, shopper: Any, capsys: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)

        with time_machine.travel(NOON + MINUTE, tick=False):
            call_command("explain_match", "--customer", str(shopper().pk), "--rule", str(rule.pk))

        answer = json.loads(capsys.readouterr().out)
        assert answer["reason"] == "MATCHED"

    def test_refuses_a_profile_of_another_store(self, rule: RemarketingRule, capsys: Any, project: Project) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        stranger = Customer.objects.create(project=other)

        with pytest.raises(CommandError, match="no profile"):
            call_command("explain_match", "--customer", str(stranger.pk), "--rule", str(rule.pk))
        with pytest.raises(CommandError, match="no automation"):
            call_command("explain_match", "--customer", str(stranger.pk), "--rule", str(stranger.pk))


class TestProfileOfAPerson:
    def test_the_timeline_tells_what_each_automation_does(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, shopper: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        waiting = [entry for entry in customer_services.timeline(customer=shopper()) if entry.kind == "automation"]
        assert [entry.title for entry in waiting] == ["Automation “Leaving with interest”: waiting"]
        assert waiting[0].detail == "until 24 Nov 2026, 11:45 UTC"

        run_due(NOON + 45 * MINUTE)
        decided = [entry for entry in customer_services.timeline(customer=shopper()) if entry.kind == "automation"]
        assert [entry.title for entry in decided] == ["Automation “Leaving with interest”: mail queued"]

    def test_export_and_erasure_reach_the_activity(
        self, rule: RemarketingRule, visit: Any, run_due: Any, shopper: Any
    ) -> None:
        visit()
        run_due(NOON)
        exported = customer_services.export_customer(customer=shopper())
        assert "Leaving with interest" in json.dumps(exported)

        customer_services.erase_customer(customer=shopper(), now=NOON)

        assert not RuleMatch.objects.exists()


class TestMerging:
    def test_two_waiting_matches_of_one_person_become_one(
        self,
        project: Project,
        rule: RemarketingRule,
        allow_mail: Callable[..., Customer],
        visit: Any,
        run_due: Any,
        mailbox: Any,
    ) -> None:
        allow_mail()
        visit(NOON - 5 * MINUTE, email=None, user_id=None, anonymous_id="browser-7")
        visit(NOON)
        run_due(NOON)
        assert RuleMatch.objects.filter(state="planned").count() == 2

        customer_services.identify(
            project=project, identifiers={"anonymous_id": "browser-7", "email": "anna@example.com"}, now=NOON + MINUTE
        )

        assert RuleMatch.objects.filter(state="planned").count() == 1
        run_due(NOON + 45 * MINUTE)
        assert len(mailbox()) == 1
