"""Eight processes deciding and sending for the same shoppers at once: nobody ever gets two mails in 24 hours."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier
from signals_app.emails import services as email_services
from signals_app.emails.constants import COUNTED_STATES, DUE_STATES, MessagePurpose, MessageState
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import MatchState, Reason
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from tests.remarketing.conftest import NOON

PROCESSES = 8
SHOPPERS = 12
VALUES = {
    "drop_proba": 0.97,
    "num_events": 25,
    "intent_score": 80,
    "dead_clicks_over_usual": 1,
    "num_broken_buttons": 1,
    "num_loops": 4,
    "loops_ratio": 2,
    "products_viewed": 2,
    "most_views_of_one_product": 2,
    "viewed_product_keys": ["/products/a"],
}


def work_until_nothing_is_due() -> None:
    for _ in range(200):
        services.queue_due_matches(now=NOON, limit=5)
        email_services.send_due(now=NOON, limit=5)
        is_open = RuleMatch.objects.filter(state=MatchState.PLANNED, due_at__lte=NOON, lease_until=None).exists()
        if not is_open and not EmailMessage.objects.filter(state__in=DUE_STATES, lease_until=None).exists():
            return


def in_processes(count: int) -> None:
    """Run the work in forked processes with connections of their own, and fail if one of them failed."""
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # whose connections would be everybody's

    def run() -> None:
        code = 1
        try:
            work_until_nothing_is_due()
            code = 0
        finally:
            connections.close_all()
            os._exit(code)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=run) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * count


def shopper(project: Project, number: int) -> Identifier:
    email = f"shopper{number}@example.com"
    customer_services.record_consent(
        project=project, identifiers={"email": email}, granted=True, source="form", now=NOON - timedelta(days=1)
    )
    return Identifier.objects.get(project=project, value=email)


def plan(rule: RemarketingRule, identifier: Identifier) -> RuleMatch:
    return RuleMatch.objects.create(
        project=rule.project,
        rule=rule,
        rule_version=rule.version,
        identifier=identifier,
        entry_key=f"signal:{identifier.pk}",
        triggered_at=NOON - timedelta(hours=1),
        due_at=NOON - timedelta(minutes=1),
        values=VALUES,
    )


def queue(match: RuleMatch, template: EmailTemplate) -> None:
    """Queue a match's mail as if nothing else had been queued, so that only the sending itself can hold the limit."""
    match.message = email_services.queue_message(
        project=match.project,
        identifier=match.identifier,
        template=template,
        purpose=MessagePurpose.REMARKETING,
        send_key=f"rule:{match.rule_id}:{match.entry_key}",
        context={},
        due_at=NOON - timedelta(minutes=1),
        now=NOON,
    )
    match.state = MatchState.QUEUED
    match.save()


@pytest.mark.django_db(transaction=True)
def test_eight_processes_never_mail_a_shopper_twice_in_a_day(
    project: Project, templates: dict[str, EmailTemplate], rules: dict[str, RemarketingRule]
) -> None:
    rivals = [rule for rule in rules.values() if rule.entry_event == "SIGNAL"]
    for rule in rivals:
        rule.trigger = {"field": "drop_proba", "op": "gte", "value": 0.5}
        services.save_rule(rule=rule)
    for number in range(SHOPPERS):
        identifier = shopper(project, number)
        for rule in rivals:
            match = plan(rule, identifier)
            if number % 2:
                queue(match, templates["dead_click"])

    in_processes(PROCESSES)

    sent = EmailMessage.objects.filter(state__in=COUNTED_STATES)
    assert Counter(sent.values_list("identifier", flat=True)).most_common(1)[0][1] == 1
    assert sent.count() == SHOPPERS
    assert MailboxMail.objects.count() == SHOPPERS
    assert not RuleMatch.objects.filter(state=MatchState.PLANNED).exists()
    skipped = RuleMatch.objects.filter(state=MatchState.SKIPPED)
    assert set(skipped.values_list("reason", flat=True)) == {Reason.SKIPPED_FREQUENCY_LIMIT}
    suppressed: Any = EmailMessage.objects.filter(state=MessageState.SUPPRESSED).values_list("reason", flat=True)
    assert set(suppressed) == {Reason.SKIPPED_FREQUENCY_LIMIT}
    assert skipped.count() + len(suppressed) == SHOPPERS * (len(rivals) - 1)
