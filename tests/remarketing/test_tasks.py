"""The tasks of automations: one call does all that is due, however much it is."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.facts.models import FactReader
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
