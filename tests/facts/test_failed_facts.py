"""A fact that cannot be handled: the others go on, and it comes back after ever longer delays."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import InterfaceError, OperationalError, connection

from signals_app.customers import services as customer_services
from signals_app.customers.models import Order
from signals_app.facts import services
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact, FactReader, FailedFact
from signals_app.projects.models import Project
from signals_app.remarketing import services as remarketing
from signals_app.remarketing.constants import EntryEvent, RuleAction, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.shopper_signals import services as signals
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.models import IntentProfile
from tests.shopper_signals.conftest import make_signal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, 23, tzinfo=UTC)
"""When no order was placed: nothing can be reckoned from it on."""


@pytest.fixture
def thank_you(project: Project) -> RemarketingRule:
    """An automation that begins with every order."""
    rule = RemarketingRule(
        project=project,
        name="Thank-you",
        status=RuleStatus.ACTIVE,
        entry_event=EntryEvent.ORDER,
        action=RuleAction.MEASURE_ONLY,
        trigger={"all": []},
    )
    remarketing.save_rule(rule=rule)
    return rule


def place_order(project: Project, email: str, *, at: datetime = NOW) -> Order:
    """Record an order that was placed now, and then move it past all checks to where it is wanted."""
    customer_services.record_order(
        project=project,
        identifiers={"email": email},
        order_id=f"order of {email}",
        total=Decimal(10),
        currency="EUR",
        placed_at=NOW,
        now=NOW,
    )
    order = Order.objects.get(project=project, order_id=f"order of {email}")
    Order.objects.filter(pk=order.pk).update(placed_at=at)
    return order


def begun(rule: RemarketingRule) -> set[str]:
    """Return whose orders began an automation."""
    return set(RuleMatch.objects.filter(rule=rule).values_list("identifier__value", flat=True))


def visit(project: Project, email: str) -> None:
    """Have a shopper seen, so that there is a profile to be scored."""
    sighting = customer_services.Sighting("1", {"email": email})
    customer = customer_services.resolve(project=project, sightings=[sighting], now=NOW)["1"]
    signals.record_signals(project=project, signals=[make_signal(NOW, customer, num_events=3)], now=NOW)


@pytest.mark.django_db
class TestAnOrderThatCannotBeFollowed:
    def test_holds_no_other_facts(self, project: Project, thank_you: RemarketingRule) -> None:
        impossible = place_order(project, "impossible@example.com", at=END_OF_TIME)
        place_order(project, "after@example.com")

        assert remarketing.follow_facts(now=NOW) == 2

        assert begun(thank_you) == {"after@example.com"}
        failed = FailedFact.objects.get()
        assert (failed.reader, failed.subject_ids) == ("remarketing", [str(impossible.pk)])
        assert (failed.attempts, failed.error, failed.due_at) == (1, "OverflowError", NOW + timedelta(minutes=1))

    def test_holds_no_others_of_its_own_fact(self, project: Project, thank_you: RemarketingRule) -> None:
        orders = [place_order(project, f"{n}@example.com", at=END_OF_TIME if n == 30 else NOW) for n in range(60)]
        Fact.objects.all().delete()
        services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(order.pk) for order in orders])

        remarketing.follow_facts(now=NOW)

        assert begun(thank_you) == {f"{n}@example.com" for n in range(60) if n != 30}
        assert FailedFact.objects.get().subject_ids == [str(orders[30].pk)]

    def test_holds_no_profiles_either(self, project: Project) -> None:
        for email in ("impossible@example.com", "after@example.com"):
            visit(project, email)
        place_order(project, "impossible@example.com", at=END_OF_TIME)
        place_order(project, "after@example.com")
        services.sequence()

        assert signals.follow_orders(now=NOW) == 2

        bought = IntentProfile.objects.filter(stage=Stage.BOUGHT_RECENTLY)
        assert set(bought.values_list("customer__email", flat=True)) == {"after@example.com"}
        assert FailedFact.objects.get().reader == "shopper_signals.orders"

    def test_is_tried_again_after_growing_delays_and_then_given_up(
        self, project: Project, thank_you: RemarketingRule, caplog: pytest.LogCaptureFixture
    ) -> None:
        order = place_order(project, "impossible@example.com", at=END_OF_TIME)
        remarketing.follow_facts(now=NOW)

        moment, delays = NOW, []
        while (due_at := FailedFact.objects.get().due_at) is not None:
            delays.append(due_at - moment)
            assert remarketing.follow_facts(now=due_at - timedelta(seconds=1)) == 0
            assert remarketing.follow_facts(now=due_at) == 1
            moment = due_at

        minutes = [int(delay.total_seconds() / 60) for delay in delays]
        assert minutes == [1, 5, 30, 180, 720]
        assert remarketing.follow_facts(now=moment + timedelta(days=30)) == 0
        assert FailedFact.objects.get().attempts == 6
        assert {record.subject_id for record in caplog.records} == {str(order.pk)}
        assert len(caplog.records) == 6
        assert "impossible" not in caplog.text

    def test_is_followed_once_its_cause_is_mended(self, project: Project, thank_you: RemarketingRule) -> None:
        order = place_order(project, "late@example.com", at=END_OF_TIME)
        remarketing.follow_facts(now=NOW)
        Order.objects.filter(pk=order.pk).update(placed_at=NOW)

        assert remarketing.follow_facts(now=NOW + timedelta(minutes=1)) == 1

        assert begun(thank_you) == {"late@example.com"}
        assert not FailedFact.objects.exists()
        assert remarketing.follow_facts(now=NOW + timedelta(days=1)) == 0

    def test_goes_with_its_store(self, project: Project, thank_you: RemarketingRule) -> None:
        place_order(project, "impossible@example.com", at=END_OF_TIME)
        remarketing.follow_facts(now=NOW)
        assert FailedFact.objects.exists()

        project.delete()

        assert not FailedFact.objects.exists()


def fail(fact: Fact, subject_ids: list[str], now: datetime) -> None:
    raise ValueError(f"Nothing can be done for {subject_ids}.")


def record_and_follow(project: Project, *, count: int = 1) -> None:
    """Record facts and have the reader "r" fail at all of them."""
    for number in range(count):
        services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(number)])
    services.sequence()
    follow(fail)


def follow(handle: services.Handle, now: datetime = NOW) -> int:
    return services.follow(reader="r", kinds=[FactKind.ORDER_RECORDED], handle=handle, now=now)


@pytest.mark.django_db(transaction=True)
class TestSeveralWorkers:
    def test_have_each_failed_fact_in_hand_once(self, project: Project) -> None:
        record_and_follow(project, count=8)
        handled: Counter[str] = Counter()
        problems: list[Exception] = []
        together = threading.Barrier(4)

        def work() -> None:
            try:
                together.wait(30)
                follow(lambda fact, ids, now: handled.update(ids), NOW + timedelta(minutes=1))
            except Exception as error:  # noqa: BLE001 - the test asserts on it
                problems.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert problems == []
        assert handled == {str(number): 1 for number in range(8)}
        assert not FailedFact.objects.exists()

    def test_keep_a_fact_once_that_fails_for_all_of_them(self, project: Project) -> None:
        services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=["1"])
        services.sequence()

        def fail_after_another(fact: Fact, subject_ids: list[str], now: datetime) -> None:
            if not FailedFact.objects.exists():
                follow(fail, now)
            fail(fact, subject_ids, now)

        follow(fail_after_another, NOW)

        assert FailedFact.objects.get().attempts == 1

    def test_change_nothing_after_another_has_taken_over(self, project: Project) -> None:
        record_and_follow(project)
        taken_over_at = NOW + timedelta(minutes=1) + services.RETRY_LEASE

        def take_too_long(fact: Fact, subject_ids: list[str], now: datetime) -> None:
            follow(fail, taken_over_at)
            fail(fact, subject_ids, now)

        follow(take_too_long, NOW + timedelta(minutes=1))

        failed = FailedFact.objects.get()
        assert (failed.attempts, failed.due_at) == (3, taken_over_at + timedelta(minutes=30))


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could go away")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_is_no_fault_of_the_fact(project: Project) -> None:
    services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=["1"])
    services.sequence()

    def lose_the_connection(fact: Fact, subject_ids: list[str], now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((OperationalError, InterfaceError)):
        follow(lose_the_connection)
    connection.close()

    assert FactReader.objects.get(name="r").position == 0
    assert not FailedFact.objects.exists()
    handled: list[list[str]] = []
    assert follow(lambda fact, ids, now: handled.append(ids)) == 1
    assert handled == [["1"]]
