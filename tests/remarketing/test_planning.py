from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from signals_app.customers import services as customer_services
from signals_app.projects.models import Project
from signals_app.remarketing import services
from signals_app.remarketing.constants import Reason
from signals_app.remarketing.models import RemarketingRule, RuleCounter, RuleMatch
from signals_app.remarketing.services.counters import CounterKey, add_counts
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.services import NewSignal, RecordedSignal
from tests.remarketing.conftest import NOON

PAGES = [
    {"name": f"https://shop.example.com{path}"}
    for path in ("/products/merino-base-layer", "/products/ridge-tent-2", "/cart")
]


def record(project: Project, shoppers: int, *, at: datetime = NOON) -> list[RecordedSignal]:
    """Record three leaving signals of each of so many new shoppers."""
    sightings = [
        customer_services.Sighting(str(number), {"email": f"{uuid4().hex}@example.com"}) for number in range(shoppers)
    ]
    identifiers = customer_services.resolve(project=project, sightings=sightings, now=at)
    signals = [
        NewSignal(
            id=uuid4(),
            received_at=at - timedelta(minutes=minute),
            identifier=identifier,
            drop_proba=0.97,
            performance=1.4,
            num_events=25 - minute,
            num_loops=1,
            avg_loops=1,
            num_broken_buttons=0,
            avg_broken_buttons=0.1,
            relevant_events=PAGES,
        )
        for identifier in identifiers.values()
        for minute in range(3)
    ]
    return signal_services.record_signals(project=project, signals=signals, now=at)


class TestPlanMatches:
    def test_plans_one_match_for_each_shopper_of_a_batch(
        self, project: Project, rules: dict[str, RemarketingRule]
    ) -> None:
        planned = services.plan_matches(project=project, recorded=record(project, 20), now=NOON)

        assert (planned.count, planned.restarted) == (20, 0)
        assert planned.next_due_at == NOON + timedelta(minutes=45)
        assert RuleMatch.objects.filter(rule=rules["Leaving with interest"]).count() == 20

    def test_asks_the_database_as_often_for_many_as_for_one(
        self, project: Project, rules: dict[str, RemarketingRule]
    ) -> None:
        one, many = record(project, 1), record(project, 40)
        with CaptureQueriesContext(connection) as for_one:
            services.plan_matches(project=project, recorded=one, now=NOON)
        with CaptureQueriesContext(connection) as for_many:
            services.plan_matches(project=project, recorded=many, now=NOON)

        assert len(for_many) <= len(for_one) <= 20

    def test_planned_again_with_the_same_signals_nothing_is_added(
        self, project: Project, rules: dict[str, RemarketingRule]
    ) -> None:
        recorded = record(project, 3)
        services.plan_matches(project=project, recorded=recorded, now=NOON)
        before = list(RuleMatch.objects.order_by("pk").values("pk", "due_at", "values"))

        assert services.plan_matches(project=project, recorded=recorded, now=NOON).count == 0

        assert list(RuleMatch.objects.order_by("pk").values("pk", "due_at", "values")) == before

    def test_late_signals_do_not_bring_a_match_forward(
        self, project: Project, rules: dict[str, RemarketingRule]
    ) -> None:
        recorded = record(project, 1)
        services.plan_matches(project=project, recorded=recorded[:1], now=NOON)

        planned = services.plan_matches(project=project, recorded=recorded[1:], now=NOON)

        assert planned.restarted == 0
        assert RuleMatch.objects.get().due_at == NOON + timedelta(minutes=45)

    def test_counts_the_same_however_signals_are_batched(
        self, project: Project, rules: dict[str, RemarketingRule]
    ) -> None:
        def counted() -> Counter[str]:
            totals: Counter[str] = Counter()
            for counter in RuleCounter.objects.all():
                totals[counter.reason] += counter.count
            return totals

        services.plan_matches(project=project, recorded=record(project, 4), now=NOON)
        together = counted()
        RuleCounter.objects.all().delete()
        for one in sorted(record(project, 4), key=lambda one: one.signal.received_at):
            services.plan_matches(project=project, recorded=[one], now=NOON)

        assert counted() == together
        assert together[Reason.MATCHED] == 4

    def test_nothing_comes_of_nothing(self, project: Project) -> None:
        assert services.plan_matches(project=project, recorded=[], now=NOON) == services.PlannedMatches()


class TestAddCounts:
    def test_adds_to_what_is_there_by_the_hour(self, rules: dict[str, RemarketingRule]) -> None:
        rule = rules["Dead click"]
        key = CounterKey(rule.pk, 1, Reason.SKIPPED_TRIGGER)

        add_counts({key: 2}, now=NOON + timedelta(minutes=59))
        add_counts({key: 3}, now=NOON)
        add_counts({key: 4}, now=NOON + timedelta(hours=1))
        add_counts({key: 0}, now=NOON + timedelta(hours=2))

        counters: Any = RuleCounter.objects.order_by("hour").values_list("hour", "count")
        assert list(counters) == [(NOON, 5), (NOON + timedelta(hours=1), 4)]
