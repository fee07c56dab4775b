"""The tasks of automations: one call does all that is due, however much it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier, Order
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact, FactReader
from signals_app.projects.models import Project
from signals_app.remarketing import tasks
from signals_app.remarketing.constants import MatchState, Reason, RuleAction, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleMatch

pytestmark = pytest.mark.django_db


def test_one_call_decides_more_than_one_claim_of_due_matches(project: Project) -> None:
    rule = RemarketingRule.objects.create(
        project=project, name="Paused", status=RuleStatus.PAUSED, action=RuleAction.MEASURE_ONLY
    )
    now = timezone.now()
    for number in range(201):
        customer_services.identify(project=project, identifiers={"anonymous_id": f"v-{number}"}, now=now)
    due = now - timedelta(minutes=1)
    RuleMatch.objects.bulk_create(
        RuleMatch(
            project=project,
            rule=rule,
            rule_version=1,
            identifier=identifier,
            entry_key=f"signal:{identifier.pk}",
            triggered_at=due,
            due_at=due,
        )
        for identifier in Identifier.objects.filter(project=project)
    )

    tasks.queue_due_matches()

    assert set(RuleMatch.objects.values_list("state", "reason")) == {(MatchState.SKIPPED, Reason.SKIPPED_RULE_INACTIVE)}


def test_one_call_reads_on_until_no_fact_is_left(project: Project) -> None:
    for _ in range(101):
        fact_services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(uuid4())])

    tasks.follow_facts()

    assert FactReader.objects.get(name="remarketing").position == 101


def test_what_is_known_of_shoppers_is_read_once_for_all_orders_of_a_fact(
    project: Project, rules: dict[str, RemarketingRule]
) -> None:
    _, of_two, of_twelve = [_queries_of_orders(project, number) for number in (1, 2, 12)]  # rules are compiled once

    assert of_two == of_twelve
    assert RuleMatch.objects.filter(rule=rules["Thank-you"]).count() == 15


def test_two_orders_of_one_shopper_each_start_what_may_begin_with_every_order(
    project: Project, rules: dict[str, RemarketingRule]
) -> None:
    _record_orders(project, ["anna@example.com", "berta@example.com", "anna@example.com"])

    tasks.follow_facts()

    started = RuleMatch.objects.filter(rule=rules["Thank-you"])
    assert len(set(started.values_list("entry_key"))) == 3


def _record_orders(project: Project, emails: list[str]) -> None:
    """Record orders as one fact."""
    before = set(Order.objects.values_list("pk", flat=True))
    for email in emails:
        customer_services.record_order(
            project=project,
            identifiers={"email": email},
            order_id=str(uuid4()),
            total=Decimal(10),
            currency="EUR",
            placed_at=timezone.now(),
            now=timezone.now(),
        )
    Fact.objects.filter(position=None).delete()
    fresh = Order.objects.exclude(pk__in=before).values_list("pk", flat=True)
    fact_services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(pk) for pk in fresh])


def _queries_of_orders(project: Project, number: int) -> int:
    _record_orders(project, [f"shopper{uuid4()}@example.com" for _ in range(number)])
    with CaptureQueriesContext(connection) as queries:
        tasks.follow_facts()
    return len(queries)
