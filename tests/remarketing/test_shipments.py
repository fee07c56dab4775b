"""Automations that begin with a shipment, and shoppers who stand at the till."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals_app.customers import services as customers
from signals_app.customers.models import Customer, Fulfilment, Order
from signals_app.emails.models import EmailTemplate
from signals_app.facts import services as facts
from signals_app.projects.models import Project
from signals_app.remarketing import services, wording
from signals_app.remarketing.constants import EntryEvent, MatchState, Reason, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleMatch, RuleVariant
from signals_app.segments import services as segments
from tests.remarketing.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(project: Project, allow_mail: Callable[..., Customer]) -> Order:
    allow_mail()
    return customers.record_order(
        project=project,
        identifiers={"email": "anna@example.com"},
        order_id="1001",
        total=Decimal("59.90"),
        currency="EUR",
        placed_at=NOON - timedelta(days=2),
        now=NOON,
    )[0]


@pytest.fixture
def rule(project: Project, templates: dict[str, EmailTemplate]) -> RemarketingRule:
    """Ask for a review three days after the parcel left."""
    rule = RemarketingRule.objects.create(
        project=project,
        name="Review",
        status=RuleStatus.ACTIVE,
        entry_event=EntryEvent.FULFILMENT,
        trigger={"field": "order_total", "op": "gte", "value": 50},
        wait_minutes=3 * 24 * 60,
        max_age_minutes=7 * 24 * 60,
        reentry_days=0,
        skip_if_ordered_days=0,
        holdout_percent=0,
    )
    RuleVariant.objects.create(rule=rule, template=next(iter(templates.values())))
    return rule


def ship(order: Order, number: str = "f-1", **changes: Any) -> Fulfilment:
    said: dict[str, Any] = {"shipped_at": NOON - timedelta(hours=1)} | changes
    shipment = customers.record_fulfilment(order=order, fulfilment_id=number, now=NOON, **said)[0]
    facts.sequence()
    services.follow_facts(now=NOON)
    return shipment


def test_a_shipment_starts_the_automation_once(rule: RemarketingRule, order: Order) -> None:
    ship(order)
    ship(order)

    match = RuleMatch.objects.get()
    assert (match.order, match.state) == (order, MatchState.PLANNED)
    assert match.triggered_at == NOON - timedelta(hours=1)
    assert match.due_at >= NOON + timedelta(days=2, hours=23)


def test_a_mail_goes_out_when_it_is_due(
    rule: RemarketingRule, order: Order, run_due: Callable[..., None], mailbox: Callable[[], list[Any]]
) -> None:
    ship(order)

    run_due(NOON + timedelta(days=3))

    assert RuleMatch.objects.get().state == MatchState.QUEUED
    assert len(mailbox()) == 1


def test_each_shipment_of_an_order_is_an_occasion(rule: RemarketingRule, order: Order) -> None:
    ship(order, "f-1")
    ship(order, "f-2")

    assert RuleMatch.objects.count() == 2


def test_a_shipment_that_does_not_hold_or_is_called_back_starts_nothing(rule: RemarketingRule, order: Order) -> None:
    ship(order, "f-1", state="cancelled")
    Order.objects.update(total=Decimal("10"))
    ship(order, "f-2")

    assert not RuleMatch.objects.exists()


@pytest.mark.parametrize("what", ["called back", "refunded", "ordered again"])
def test_what_happens_meanwhile_lets_it_go(
    rule: RemarketingRule, order: Order, project: Project, run_due: Callable[..., None], what: str
) -> None:
    ship(order)
    if what == "called back":
        ship(order, state="cancelled")
    elif what == "refunded":
        customers.set_refunded(order=order, refunded_total=order.total, now=NOON)
    else:
        customers.record_order(
            project=project,
            identifiers={"email": "anna@example.com"},
            order_id="1002",
            total=Decimal("5.00"),
            currency="EUR",
            placed_at=NOON,
            now=NOON,
        )

    run_due(NOON + timedelta(days=3))

    match = RuleMatch.objects.get()
    expected = Reason.SKIPPED_ORDERED if what == "ordered again" else Reason.SKIPPED_REFUNDED
    assert (match.state, match.reason) == (MatchState.SKIPPED, expected)


def test_it_is_said_in_words_and_explained(rule: RemarketingRule, order: Order) -> None:
    ship(order)

    said = wording.rule_in_words(rule, list(rule.variants.all()))
    explained = services.explain(rule=rule, customer=order.identifier.customer, now=NOON)

    assert said.startswith("After a shipment of an order with Order total")
    assert "wait 3 days after the shipment" in said
    assert explained.match is not None


def test_who_stands_at_the_till_can_be_left_alone(project: Project, allow_mail: Callable[..., Customer]) -> None:
    customer = allow_mail()

    def at_the_till(hours: float) -> Any:
        now = NOON + timedelta(hours=hours)
        values = segments.profile_values(customer_ids=[customer.pk], names=["in_checkout", "last_checkout_at"], now=now)
        return values[customer.pk]["in_checkout"], values[customer.pk]["last_checkout_at"]

    assert at_the_till(0) == (False, None)
    customers.record_checkout(
        project=project,
        identifiers={"email": "anna@example.com"},
        checkout_id="till-1",
        started_at=NOON,
        active_at=NOON,
        now=NOON,
    )
    assert at_the_till(1) == (True, NOON)
    assert at_the_till(25) == (False, NOON)
    customers.complete_checkout(project=project, checkout_id="till-1", completed_at=NOON, now=NOON)
    assert at_the_till(1) == (False, NOON)
