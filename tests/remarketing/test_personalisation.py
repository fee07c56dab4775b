"""Whoever refuses to have their behaviour used gets no automation that uses it, and no mail is tracked unasked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.emails.constants import MessageState
from signals_app.emails.models import EmailMessage
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.models import RemarketingRule, RuleCounter, RuleMatch
from signals_app.remarketing.schedule import zone_of
from tests.remarketing.conftest import NOON

Rules = dict[str, RemarketingRule]
WAIT = timedelta(minutes=45)
LATER = timedelta(minutes=10)


@pytest.fixture
def rule(rules: Rules) -> RemarketingRule:
    return rules["Leaving with interest"]


@pytest.fixture
def say(project: Project) -> Callable[..., Customer]:
    def say(granted: bool, *, topic: str = "personalisation", at: datetime = NOON - timedelta(days=2)) -> Customer:
        return customer_services.record_consent(
            project=project,
            identifiers={"email": "anna@example.com"},
            topic=topic,
            granted=granted,
            source="privacy page",
            now=at,
        )

    return say


class TestWhoRefusesPersonalisation:
    def test_enters_no_automation_that_begins_with_behaviour(
        self, rule: RemarketingRule, allow_mail: Any, say: Any, visit: Any, run_due: Any
    ) -> None:
        allow_mail()
        customer = say(False)
        visit()

        run_due(NOON)

        assert not RuleMatch.objects.exists()
        counters = RuleCounter.objects.filter(rule=rule, reason=Reason.SKIPPED_NO_PERSONALISATION)
        assert sum(counter.count for counter in counters) == 3
        explained = services.explain(customer=customer, rule=rule, now=NOON).as_json()
        assert explained["reason_text"] == "Behaviour may not be used"
        assert explained["detail"] == "denied 22 November 2026 (privacy page)"

    def test_gets_no_mail_that_was_waiting(
        self, rule: RemarketingRule, allow_mail: Any, say: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        say(False, at=NOON + LATER)

        run_due(NOON + WAIT)

        match = RuleMatch.objects.get(rule=rule)
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_NO_PERSONALISATION)
        assert mailbox() == []

    def test_gets_no_mail_that_was_about_to_leave(
        self, rule: RemarketingRule, allow_mail: Any, say: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        services.queue_due_matches(now=NOON + WAIT)
        say(False, at=NOON + WAIT)

        run_due(NOON + WAIT)

        message = EmailMessage.objects.get()
        assert (message.state, message.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_NO_PERSONALISATION)
        assert message.detail == "denied 24 November 2026 (privacy page)"
        assert mailbox() == []

    def test_is_still_thanked_for_an_order_without_a_word_of_what_they_looked_at(
        self, project: Project, rules: Rules, allow_mail: Any, say: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        say(False)
        visit()
        customer_services.record_order(
            project=project,
            identifiers={"email": "anna@example.com"},
            order_id="1001",
            total=Decimal("59.90"),
            currency="EUR",
            placed_at=NOON,
            now=NOON,
        )
        run_due(NOON)

        run_due(NOON + timedelta(days=3))

        (mail,) = mailbox()
        assert "merino" not in mail.html.lower()
        assert "ridge" not in mail.html.lower()

    def test_is_asked_first_where_the_store_says_so(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, say: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        project.personalises_unless_refused = False
        project.save()
        allow_mail()
        visit()
        run_due(NOON)
        assert not RuleMatch.objects.exists()

        say(True, at=NOON)
        visit(NOON + LATER)
        run_due(NOON + LATER)
        run_due(NOON + LATER + WAIT)

        assert len(mailbox()) == 1


class TestAnAutomationThatBeginsWithAnOrder:
    @pytest.mark.parametrize(
        ("audience", "uses_behaviour"),
        [
            ({}, False),
            ({"field": "order_count", "op": "gte", "value": 1}, False),
            ({"not": {"field": "interest_brand", "op": "contains", "value": "North"}}, True),
            ({"field": "last_seen_at", "op": "within_days", "value": 3}, True),
        ],
    )
    def test_uses_behaviour_if_its_profile_filters_do(
        self, rules: Rules, audience: dict[str, Any], uses_behaviour: bool
    ) -> None:
        thanks = rules["Thank-you"]
        thanks.audience = audience

        spec = services.rules.spec_of(thanks, services.rules.policy_of(thanks.project), zone=zone_of())

        assert spec.uses_behaviour is uses_behaviour


def test_a_mail_carries_no_pixel_and_no_changed_link(
    project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
) -> None:
    customer = allow_mail()
    visit()
    run_due(NOON)
    run_due(NOON + WAIT)

    assert customer_services.may_track(customer=customer).granted is False
    (mail,) = mailbox()
    links = re.findall(r'href="([^"]+)"', mail.html)
    hosts = {urlsplit(link).hostname for link in links if "/e/u/" not in link}
    assert links
    assert hosts == {"shop.example.com"}
    pictures = re.findall(r"<img[^>]*>", mail.html)
    assert [picture for picture in pictures if re.search(r'(width|height)="?1(px)?["\s;]|/e/', picture)] == []
