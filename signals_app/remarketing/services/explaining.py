"""Why a rule acts for a shopper or does not, recomputed by the same `decide()` that decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from signals_app.customers.constants import FulfilmentState
from signals_app.customers.models import Customer, Fulfilment, Order
from signals_app.remarketing import schedule
from signals_app.remarketing.constants import ORDER_EVENTS, EntryEvent, MatchState
from signals_app.remarketing.decision import Decision, Moment, RuleSpec, Situation, decide
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.planning import as_json
from signals_app.remarketing.services.queueing import decide_due
from signals_app.remarketing.services.situations import is_void, send_facts, trigger_situations, with_history
from signals_app.remarketing.signal_fields import order_values
from signals_app.segments import conditions
from signals_app.segments.conditions import ConditionResult
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.models import ShopperSignal

SIGNALS_LOOKED_AT = 50
"""The nearest miss is looked for among so many of the shopper's latest signals."""


@dataclass(frozen=True)
class Occasion:
    """A signal or an order, with the values that a trigger is tested with."""

    reference: str
    at: datetime
    values: Mapping[str, Any]
    is_void: bool = False


@dataclass(frozen=True)
class NearestMiss:
    """The occasion on which the fewest conditions of the trigger were missing, and which these were."""

    occasion: Occasion
    failed: list[ConditionResult]


@dataclass(frozen=True)
class Explanation:
    """`decision` is None if the shopper never did what starts the rule; `match` is the latest, if there is any."""

    rule: RemarketingRule
    customer: Customer
    occasion: Occasion | None
    decision: Decision | None
    conditions: list[ConditionResult]
    match: RuleMatch | None
    nearest_miss: NearestMiss | None

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as the command and the API print it."""
        decision, occasion, match, miss = self.decision, self.occasion, self.match, self.nearest_miss
        return {
            "customer": str(self.customer.pk),
            "rule": {"id": str(self.rule.pk), "name": self.rule.name, "version": self.rule.version},
            "outcome": decision.outcome.value if decision else "skip",
            "reason": decision.reason.value if decision else "SKIPPED_TRIGGER",
            "reason_text": decision.reason.label if decision else "Nothing has happened that could start it",
            "detail": decision.detail if decision else "",
            "due_at": decision.due_at.isoformat() if decision else None,
            "occasion": {"id": occasion.reference, "at": occasion.at.isoformat()} if occasion else None,
            "gates": [gate.as_json() for gate in decision.gates] if decision else [],
            "conditions": [_condition_as_json(result) for result in self.conditions],
            "values": as_json(occasion.values) if occasion else {},
            "match": _match_as_json(match) if match else None,
            "nearest_miss": {
                "id": miss.occasion.reference,
                "at": miss.occasion.at.isoformat(),
                "failed": [_condition_as_json(result) for result in miss.failed],
            }
            if miss
            else None,
        }


def explain(*, customer: Customer, rule: RemarketingRule, now: datetime) -> Explanation:
    """
    Say what the rule does, or would do, for the shopper now, with every gate and condition.

    A match that waits is decided as if it were due now. Otherwise the shopper's latest signal or order is decided as
    if it had just come, with what is known of the shopper now, the sending included. Nothing is changed.
    """
    policy = rule_services.policy_of(rule.project)
    zone = schedule.zone_of(rule.project.time_zone)
    spec = rule_services.spec_of(rule, policy, zone=zone, has_variants=rule.variants.exists())
    match = _latest_match(customer, rule)
    occasions = _occasions(customer, rule, now)
    if match is not None and match.state == MatchState.PLANNED:
        reference = str(match.order_id or match.signal_id or "")
        occasion: Occasion | None = Occasion(reference, match.triggered_at, match.values)
        decision: Decision | None = decide_due(match, customer, now)
    else:
        occasion = occasions[0] if occasions else None
        decision = decide(spec, _situation(customer, rule, spec, occasion, now), now) if occasion else None
    return Explanation(
        rule=rule,
        customer=customer,
        occasion=occasion,
        decision=decision,
        conditions=conditions.evaluate(spec.trigger, occasion.values, now=now) if occasion else [],
        match=match,
        nearest_miss=_nearest_miss(spec, occasions, now),
    )


def _latest_match(customer: Customer, rule: RemarketingRule) -> RuleMatch | None:
    matches = RuleMatch.objects.filter(rule=rule, identifier__customer=customer)
    return (
        matches.select_related("rule", "project", "order", "identifier", "message")
        .order_by("-triggered_at", "-pk")
        .first()
    )


def _occasions(customer: Customer, rule: RemarketingRule, now: datetime) -> list[Occasion]:
    """Return what could have started the rule for the shopper, latest first."""
    if rule.entry_event in ORDER_EVENTS:
        orders = with_history(Order.objects.filter(identifier__customer=customer)).order_by("-placed_at", "-pk")
        latest = list(orders[:SIGNALS_LOOKED_AT])
        if rule.entry_event == EntryEvent.FULFILMENT:
            return _shipments(latest)
        return [Occasion(str(order.pk), order.placed_at, order_values(order), is_void(order)) for order in latest]
    signals = ShopperSignal.objects.filter(identifier__customer=customer).order_by("-received_at", "-pk")
    recorded = signal_services.recall_signals(project=rule.project, signals=list(signals[:SIGNALS_LOOKED_AT]), now=now)
    return [Occasion(str(one.signal.id), one.signal.received_at, one.values) for one in recorded]


def _shipments(orders: list[Order]) -> list[Occasion]:
    by_id = {order.pk: order for order in orders}
    sent = Fulfilment.objects.filter(order__in=orders, state=FulfilmentState.SHIPPED).order_by("-shipped_at", "-pk")
    return [
        Occasion(str(one.pk), one.shipped_at, order_values(by_id[one.order_id]), is_void(by_id[one.order_id]))
        for one in sent[:SIGNALS_LOOKED_AT]
    ]


def _situation(
    customer: Customer, rule: RemarketingRule, spec: RuleSpec, occasion: Occasion, now: datetime
) -> Situation:
    pair: tuple[UUID, UUID] = (customer.pk, spec.id)
    situation = trigger_situations(
        project=rule.project,
        customers={customer.pk: customer},
        specs=[spec],
        triggered={pair: (occasion.values, occasion.at)},
        void_orders=[pair] if occasion.is_void else [],
        now=now,
    )[pair]
    send = send_facts(
        project=rule.project,
        customer=customer,
        policy=rule_services.policy_of(rule.project),
        counts_waiting=True,
        without=None,
        now=now,
    )
    return replace(situation, moment=Moment.DUE, send=send)


def _nearest_miss(spec: RuleSpec, occasions: list[Occasion], now: datetime) -> NearestMiss | None:
    misses = []
    for occasion in occasions:
        if not conditions.holds(spec.trigger, occasion.values, now=now):
            results = conditions.evaluate(spec.trigger, occasion.values, now=now)
            misses.append(NearestMiss(occasion, [result for result in results if not result.holds]))
    return min(misses, key=lambda miss: len(miss.failed), default=None)


def _condition_as_json(result: ConditionResult) -> dict[str, Any]:
    return {
        "sentence": result.sentence,
        "field": result.field,
        "op": result.op,
        "expected": _plain(result.expected),
        "actual": _plain(result.actual),
        "holds": result.holds,
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _match_as_json(match: RuleMatch) -> dict[str, Any]:
    return {
        "id": str(match.pk),
        "state": match.state,
        "reason": match.reason,
        "arm": match.arm,
        "triggered_at": match.triggered_at.isoformat(),
        "due_at": match.due_at.isoformat(),
        "decided_at": match.decided_at.isoformat() if match.decided_at else None,
        "message": str(match.message_id) if match.message_id else None,
        "message_state": match.message.state if match.message else None,
        "message_reason": match.message.reason if match.message else None,
    }
