"""What decisions need to know of shoppers, read for many of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from signals_app.core.bulk import read_rows
from signals_app.customers import services as customer_services
from signals_app.customers.constants import FulfilmentState, OrderState
from signals_app.customers.models import Customer, Fulfilment, Identifier, Order
from signals_app.emails import services as email_services
from signals_app.emails.constants import COUNTED_STATES, DUE_STATES, MessagePurpose, MessageState
from signals_app.emails.models import EmailMessage
from signals_app.projects.models import Project
from signals_app.remarketing import arms
from signals_app.remarketing.constants import Arm, MatchState, Reason
from signals_app.remarketing.decision import Moment, RuleSpec, SendFacts, Situation
from signals_app.remarketing.models import RemarketingRule, RuleMatch, SendPolicy
from signals_app.remarketing.schedule import zone_of
from signals_app.segments import conditions
from signals_app.segments import services as segment_services

DAY, WEEK = timedelta(days=1), timedelta(days=7)

SHIPMENT_KEY = "fulfilment:"
"""How the entry key of a match begins that began with a shipment; its id follows."""

_NEVER_SENT = (MessageState.SUPPRESSED, MessageState.FAILED)
ENTERED = (Q(state=MatchState.QUEUED) & ~Q(message__state__in=_NEVER_SENT)) | Q(
    state=MatchState.SKIPPED, reason__in=(Reason.SKIPPED_HOLDOUT, Reason.SKIPPED_MEASURE_ONLY)
)
"""Matches that count as having been in the automation. Whoever was only skipped may enter again; the control group may
not, so that both arms are asked equally often."""


def entered_matches() -> QuerySet[RuleMatch]:
    """Return the matches that re-entry counts."""
    return RuleMatch.objects.filter(ENTERED)


def last_entries(
    *, customer_ids: Collection[UUID], rule_ids: Collection[UUID], without: UUID | None = None
) -> dict[tuple[UUID, UUID], datetime]:
    """Return {(customer id, rule id): when they last entered}; `without` leaves one match out."""
    entered = entered_matches().filter(identifier__customer__any_of=customer_ids, rule__any_of=rule_ids).order_by()
    if without is not None:
        entered = entered.exclude(pk=without)
    rows = entered.values_list("identifier__customer", "rule").annotate(last=Max("triggered_at"))
    return {(customer_id, rule_id): last for customer_id, rule_id, last in read_rows(rows)}


def roots_of(customer_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return {customer id: the oldest of its known IDs}, by which control groups are drawn."""
    identifiers = Identifier.objects.filter(customer__any_of=customer_ids).order_by()
    return dict(read_rows(identifiers.values_list("customer").annotate(root=Min("pk"))))


def arm_of(rule: RuleSpec | RemarketingRule, project: Project, root: int) -> Arm:
    """Return the arm that a shopper is drawn into."""
    return arms.choose_arm(salt=str(project.pk), root=root, rule_id=rule.id, holdout_percent=rule.holdout_percent)


def profiles_for(
    specs: Collection[RuleSpec], customer_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, dict[str, Any]]:
    """Return the profile values that any of the rules' audiences ask for."""
    names = frozenset[str]().union(*(conditions.field_names(spec.audience) for spec in specs))
    if not names:
        return {}
    return segment_services.profile_values(customer_ids=customer_ids, names=sorted(names), now=now)


def trigger_situations(
    *,
    project: Project,
    customers: Mapping[UUID, Customer],
    specs: Collection[RuleSpec],
    triggered: Mapping[tuple[UUID, UUID], tuple[Mapping[str, Any], datetime]],
    void_orders: Collection[tuple[UUID, UUID]] = (),
    now: datetime,
) -> dict[tuple[UUID, UUID], Situation]:
    """
    Return the situation at the trigger for each (customer id, rule id) of `triggered`: {pair: (values, when)}.

    A constant number of queries, whatever the number of pairs.
    """
    customer_ids = {customer_id for customer_id, _ in triggered}
    if not customer_ids:
        return {}
    entries = last_entries(customer_ids=customer_ids, rule_ids=[spec.id for spec in specs])
    orders = customer_services.last_order_at(customer_ids)
    profiles = profiles_for(specs, customer_ids, now)
    roots = roots_of(customer_ids)
    behaviour = customer_services.may_personalise(project=project, customer_ids=customer_ids)
    by_id = {spec.id: spec for spec in specs}
    return {
        (customer_id, rule_id): Situation(
            moment=Moment.TRIGGER,
            values=values,
            zone=zone_of(customers[customer_id].time_zone, project.time_zone),
            triggered_at=triggered_at,
            may_personalise=behaviour[customer_id].granted,
            personalisation_detail=behaviour[customer_id].detail,
            profile=profiles.get(customer_id, {}),
            last_entry_at=entries.get((customer_id, rule_id)),
            last_ordered_at=orders.get(customer_id),
            is_order_void=(customer_id, rule_id) in void_orders,
            arm=arm_of(by_id[rule_id], project, roots[customer_id]),
        )
        for (customer_id, rule_id), (values, triggered_at) in triggered.items()
    }


def match_situation(
    *, match: RuleMatch, customer: Customer, spec: RuleSpec, policy: SendPolicy, moment: Moment, now: datetime
) -> Situation:
    """Return the situation of a match when it is due or its mail is about to be sent, under the customer's lock."""
    behaviour = customer_services.may_personalise(project=match.project, customer_ids=[customer.pk])[customer.pk]
    return Situation(
        moment=moment,
        values=match.values,
        zone=zone_of(customer.time_zone, match.project.time_zone),
        triggered_at=match.triggered_at,
        may_personalise=behaviour.granted,
        personalisation_detail=behaviour.detail,
        profile=profiles_for([spec], [customer.pk], now).get(customer.pk, {}),
        due_at=match.due_at,
        last_entry_at=last_entries(customer_ids=[customer.pk], rule_ids=[spec.id], without=match.pk).get(
            (customer.pk, spec.id)
        ),
        last_ordered_at=customer_services.last_order_at([customer.pk]).get(customer.pk),
        is_order_void=match.order is not None and (is_void(match.order) or _is_called_back(match)),
        arm=Arm(match.arm),
        send=send_facts(
            project=match.project,
            customer=customer,
            policy=policy,
            counts_waiting=moment is not Moment.SEND,
            without=match.message_id,
            now=now,
        ),
    )


def _is_called_back(match: RuleMatch) -> bool:
    """Say whether a match began with a shipment that was cancelled since."""
    if not match.entry_key.startswith(SHIPMENT_KEY):
        return False
    shipment = Fulfilment.objects.filter(pk=match.entry_key.removeprefix(SHIPMENT_KEY))
    return shipment.filter(state=FulfilmentState.CANCELLED).exists()


def with_history(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Return the orders with `has_earlier_order` on each: whether its shopper had ordered before."""
    earlier = Order.objects.filter(
        identifier__customer=OuterRef("identifier__customer"), placed_at__lt=OuterRef("placed_at")
    )
    return orders.annotate(has_earlier_order=Exists(earlier))


def is_void(order: Order) -> bool:
    """Say whether an order was cancelled or given back as a whole."""
    return order.state != OrderState.PLACED or 0 < order.total <= order.refunded_total


def send_facts(
    *,
    project: Project,
    customer: Customer,
    policy: SendPolicy,
    counts_waiting: bool,
    without: UUID | None,
    now: datetime,
) -> SendFacts:
    """
    Return what only the sending depends on.

    `counts_waiting` also counts mails that are queued and not sent yet: they go first.
    """
    counted = Q(state__in=COUNTED_STATES, sending_at__gt=now - WEEK)
    if counts_waiting:
        counted |= Q(state__in=DUE_STATES)
    mails = EmailMessage.objects.filter(counted, identifier__customer=customer, purpose=MessagePurpose.REMARKETING)
    if without is not None:
        mails = mails.exclude(pk=without)
    rows = list(mails.values_list("state", "sending_at", "rule_match__rule__name"))
    in_day = [row for row in rows if row[1] is None or row[0] in DUE_STATES or row[1] > now - DAY]
    consent = customer_services.has_consent(customer=customer)
    return SendFacts(
        email=customer.email,
        has_consent=consent.granted,
        consent_detail=consent.detail,
        is_suppressed=bool(customer.email) and email_services.is_suppressed(project=project, email=customer.email),
        is_sending_paused=project.is_sending_paused,
        mails_in_day=len(in_day),
        mails_in_week=len(rows),
        max_per_day=policy.max_per_day,
        max_per_week=policy.max_per_week,
        went_first=next((name for _, _, name in (*in_day, *rows) if name), ""),
    )
