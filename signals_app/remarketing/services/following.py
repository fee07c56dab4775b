"""
What an order or a shipment changes: waiting matches of its shopper are let go, and automations that begin with it start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from signals_app.core.exceptions import TransientError
from signals_app.customers import services as customer_services
from signals_app.customers.constants import FulfilmentState
from signals_app.customers.models import Customer, Fulfilment, Order
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.remarketing.constants import EntryEvent, MatchState, Reason
from signals_app.remarketing.decision import Decision, Outcome, RuleSpec, Situation, decide
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.counters import CounterKey, Counts, add_counts
from signals_app.remarketing.services.planning import as_json
from signals_app.remarketing.services.queueing import apply_decision, decide_due
from signals_app.remarketing.services.situations import SHIPMENT_KEY, is_void, trigger_situations, with_history
from signals_app.remarketing.signal_fields import order_values
from signals_app.segments import conditions

READER = "remarketing"

ENTRY_OF_FACT = {FactKind.ORDER_RECORDED: EntryEvent.ORDER, FactKind.ORDER_FULFILLED: EntryEvent.FULFILMENT}


@dataclass(frozen=True, slots=True)
class Occasion:
    """An order, or a shipment of one, that an automation may begin with; `key` names it for ever."""

    order: Order
    key: str
    at: datetime


class ShopperMoved(TransientError):
    """While orders were followed, one of their shoppers was joined to another profile."""


def follow_facts(*, now: datetime, limit: int = 100) -> int:
    """
    Read on in the facts, up to `limit` of them, and return how many were read.

    An order lets go of what waits for its shopper; an order or a shipment starts the automations that begin with one,
    each of them once. The order of facts does not matter: what waits is judged by all that the shopper has ordered, and
    what was started is judged again when it is due and when it is sent. Of two orders that come in the wrong order the
    earlier one is skipped by the same gates as an order that the shop reports late.
    """
    fact_services.sequence()
    return fact_services.follow(reader=READER, kinds=list(ENTRY_OF_FACT), handle=_follow, now=now, limit=limit)


@transaction.atomic
def _follow(fact: Fact, subject_ids: list[str], now: datetime) -> None:
    project, entry_event = fact.project, ENTRY_OF_FACT[FactKind(fact.kind)]
    # Without those of shoppers who are being erased: nobody can lock these.
    rows = Order.objects.filter(project=project, identifier__customer__erased_at=None)
    shipments = Fulfilment.objects.none()
    if entry_event is EntryEvent.ORDER:
        rows = rows.filter(pk__in=subject_ids)
    else:
        shipments = Fulfilment.objects.filter(pk__in=subject_ids, order__project=project)
        rows = rows.filter(pk__in=shipments.values("order"))
    customers = customer_services.lock_customers(rows.values_list("identifier__customer", flat=True))
    orders = list(with_history(rows).select_related("identifier").order_by("placed_at", "pk"))
    if any(order.identifier.customer_id not in customers for order in orders):
        # Joined to another profile between the two reads: the fact is followed again, at once or in a minute.
        raise ShopperMoved(f"a shopper of {len(orders)} orders was joined to another profile meanwhile")
    counts = Counts()
    _let_go(project, customers, counts, now)
    occasions = _occasions(orders, None if entry_event is EntryEvent.ORDER else list(shipments))
    _start(project, entry_event, occasions, customers, counts, now)
    add_counts(counts, now=now)


# --- Letting go -----------------------------------------------------------------------------------------------------


def _let_go(project: Project, customers: Mapping[UUID, Customer], counts: Counts, now: datetime) -> None:
    waiting = RuleMatch.objects.filter(
        project=project, identifier__customer__in=list(customers), state=MatchState.PLANNED
    ).select_related("rule", "project", "order", "identifier")
    ended = []
    for match in waiting.order_by("pk"):
        decision = decide_due(match, customers[match.identifier.customer_id], now)
        if decision.reason in (Reason.SKIPPED_ORDERED, Reason.SKIPPED_REFUNDED):
            apply_decision(match, decision, now=now)
            counts[CounterKey(match.rule_id, match.rule.version, decision.reason)] += 1
            ended.append(str(match.pk))
    fact_services.record(project=project, kind=FactKind.MATCH_DECIDED, subject_ids=ended)


# --- Starting -------------------------------------------------------------------------------------------------------


def _occasions(orders: list[Order], shipments: list[Fulfilment] | None) -> list[Occasion]:
    """Return what may start automations: the orders themselves, or their shipments that were not called back."""
    if shipments is None:
        return [Occasion(order, f"order:{order.pk}", order.placed_at) for order in orders]
    by_id = {order.pk: order for order in orders}
    sent = [each for each in shipments if each.state == FulfilmentState.SHIPPED]
    return [
        Occasion(by_id[each.order_id], f"{SHIPMENT_KEY}{each.pk}", each.shipped_at)
        for each in sorted(sent, key=lambda one: (one.shipped_at, one.pk))
        if each.order_id in by_id
    ]


def _start(
    project: Project,
    entry_event: EntryEvent,
    occasions: list[Occasion],
    customers: Mapping[UUID, Customer],
    counts: Counts,
    now: datetime,
) -> None:
    specs = rule_services.active_specs(project=project, entry_event=entry_event)
    if not specs:
        return
    begun = set(
        RuleMatch.objects.filter(
            rule__in=[spec.id for spec in specs], entry_key__in=[occasion.key for occasion in occasions]
        ).values_list("rule", "entry_key")
    )
    matches = []
    for of_one_round in _rounds(occasions):
        for spec, decision, match in _decide_round(project, of_one_round, specs, begun, customers, now):
            counts[CounterKey(spec.id, spec.version, decision.reason)] += 1
            if decision.outcome is Outcome.PLAN:
                matches.append(match)
    RuleMatch.objects.bulk_create(matches, ignore_conflicts=True)


def _rounds(occasions: Iterable[Occasion]) -> list[list[Occasion]]:
    """Sort occasions into rounds in which no shopper has two, so that what is known of all shoppers is read at once."""
    rounds: list[list[Occasion]] = []
    earlier: Counter[UUID] = Counter()
    for occasion in occasions:
        customer_id = occasion.order.identifier.customer_id
        if earlier[customer_id] == len(rounds):
            rounds.append([])
        rounds[earlier[customer_id]].append(occasion)
        earlier[customer_id] += 1
    return rounds


def _decide_round(
    project: Project,
    occasions: Iterable[Occasion],
    specs: Iterable[RuleSpec],
    begun: Collection[tuple[UUID, str]],
    customers: Mapping[UUID, Customer],
    now: datetime,
) -> list[tuple[RuleSpec, Decision, RuleMatch]]:
    """Decide for each rule that an occasion of the round may start, where it has not yet."""
    holding: dict[tuple[UUID, UUID], tuple[RuleSpec, Occasion, dict[str, Any]]] = {}
    for occasion in occasions:
        values = order_values(occasion.order)
        for spec in specs:
            if (spec.id, occasion.key) not in begun and conditions.holds(spec.trigger, values, now=now):
                holding[occasion.order.identifier.customer_id, spec.id] = spec, occasion, values
    situations = trigger_situations(
        project=project,
        customers=customers,
        specs=[spec for spec, _, _ in holding.values()],
        triggered={pair: (values, occasion.at) for pair, (_, occasion, values) in holding.items()},
        void_orders={pair for pair, (_, occasion, _) in holding.items() if is_void(occasion.order)},
        now=now,
    )
    decided = []
    for pair, (spec, occasion, _) in holding.items():
        decision = decide(spec, situations[pair], now)
        decided.append((spec, decision, _new_match(project, spec, occasion, situations[pair], decision, now)))
    return decided


def _new_match(
    project: Project, spec: RuleSpec, occasion: Occasion, situation: Situation, decision: Decision, now: datetime
) -> RuleMatch:
    return RuleMatch(
        project=project,
        rule_id=spec.id,
        rule_version=spec.version,
        identifier_id=occasion.order.identifier_id,
        order=occasion.order,
        entry_key=occasion.key,
        arm=situation.arm,
        triggered_at=occasion.at,
        due_at=decision.due_at,
        created_at=now,
        values=as_json(situation.values),
        gates=[gate.as_json() for gate in decision.gates],
    )
