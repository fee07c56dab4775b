"""The profile fields of the rooms below: who the shopper is, buying intent, orders, consent."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    F,
    FloatField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, NullIf

from signals_app.customers.constants import Channel, OrderState, Topic
from signals_app.customers.models import Checkout, Consent, Order
from signals_app.segments import fields
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import InterestKind, Stage
from signals_app.shopper_signals.models import Interest
from signals_app.shopper_signals.services.interest_rows import FADED

WHO, INTENT, ORDERS, CONSENT = "Profile", "Buying intent", "Orders", "Consent"


def text_expression(path: str) -> Combinable:
    """Return a text column with its empty string as null: nothing written is nothing known."""
    return NullIf(F(path), Value("", output_field=CharField()))


def _profile(name: str, label: str, kind: FieldType, group: str, **more: Any) -> Field:
    return Field(name=name, label=label, type=kind, scope=Scope.PROFILE, group=group, **more)


def _text(name: str, label: str, path: str, **more: Any) -> Field:
    return _profile(name, label, FieldType.TEXT, WHO, expression=lambda now: text_expression(path), **more)


# --- Orders: one subquery per shopper -------------------------------------------------------------------------------


def _of_orders(aggregate: Any, output_field: Any, **conditions: Any) -> Subquery:
    orders = Order.objects.filter(identifier__customer=OuterRef("pk"), **conditions).order_by()
    grouped = orders.values("identifier__customer").annotate(answer=aggregate).values("answer")
    return Subquery(grouped, output_field=output_field)


def _order_count(now: datetime) -> Combinable:
    counted = _of_orders(Cast(Count("pk"), FloatField()), FloatField(), state=OrderState.PLACED)
    return Coalesce(counted, Value(0.0))


def _order_total(now: datetime) -> Combinable:
    summed = _of_orders(Cast(Sum("total"), FloatField()), FloatField(), state=OrderState.PLACED)
    return Coalesce(summed, Value(0.0))


def _last_order(now: datetime) -> Combinable:
    return _of_orders(Max("placed_at"), DateTimeField(), state=OrderState.PLACED)


# --- Checkout: at the till now, or lately ---------------------------------------------------------------------------

AT_THE_TILL = timedelta(hours=24)
"""Whoever moved in the checkout within this time, and has not ordered, is taken to be in it still."""


def _in_checkout(now: datetime) -> Combinable:
    open_ones = Checkout.objects.filter(identifier__customer=OuterRef("pk"), completed_at=None)
    return Exists(open_ones.filter(active_at__gt=now - AT_THE_TILL))


def _last_checkout(now: datetime) -> Combinable:
    checkouts = Checkout.objects.filter(identifier__customer=OuterRef("pk")).order_by()
    latest = checkouts.values("identifier__customer").annotate(answer=Max("active_at")).values("answer")
    return Subquery(latest, output_field=DateTimeField())


# --- Consent: a "no" on any known ID of the shopper counts -----------------------------------------------------------


def _consent(topic: Topic) -> Any:
    said = Consent.objects.filter(identifier__customer=OuterRef("pk"), channel=Channel.EMAIL, topic=topic)

    def expression(now: datetime) -> Combinable:
        return Case(
            When(Exists(said.filter(is_granted=False)), then=Value("denied")),
            When(Exists(said.filter(is_granted=True)), then=Value("granted")),
            default=Value(None),
            output_field=CharField(),
        )

    return expression


def _consent_field(topic: Topic) -> Field:
    return _profile(
        f"consent_{topic.value}",
        f"Consent: {topic.label}",
        FieldType.CHOICE,
        CONSENT,
        expression=_consent(topic),
        choices=(("granted", "Granted"), ("denied", "Denied")),
        help="Not known: the shopper was never asked.",
    )


# --- Interests: lists, as far as they still count now ----------------------------------------------------------------


def interests_at(now: datetime) -> QuerySet[Interest]:
    """
    Return the interests that have not faded at `now`, each customer's strongest first.

    A weight is stored as the L of `shopper_signals.decay`, so "weight now >= x" is "L >= t/h + log2 x", asked in the
    database, where the half-life h of each profile stands.
    """
    half_life = Cast(F("customer__intent_profile__half_life_hours"), FloatField())
    floor = Value(decay.hours(now), output_field=FloatField()) / half_life + Value(math.log2(FADED))
    return Interest.objects.filter(weight_log2__gte=floor).order_by("-weight_log2", "pk")


def list_conditions(op: str, rows: QuerySet[Any], member: str, value: Any) -> Q:
    """Compile an operator of a list field, given the rows that make the list and the column of its members."""
    if op in ("contains", "not_contains"):
        rows = rows.filter(**{member: value})
    found = Q(Exists(rows))
    return ~found if op in ("not_contains", "is_unknown") else found


def grouped_members(rows: QuerySet[Any], owner: str, member: str) -> dict[UUID, Any]:
    """Return {owner: [member, ...]} in the order of the rows."""
    lists: dict[UUID, Any] = {}
    for owner_id, value in rows.values_list(owner, member):
        lists.setdefault(owner_id, []).append(value)
    return lists


def _interest_field(kind: InterestKind, help_text: str) -> Field:
    def to_q(op: str, value: Any, now: datetime) -> Q:
        return list_conditions(op, interests_at(now).filter(customer=OuterRef("pk"), kind=kind), "name", value)

    def read(customer_ids: Collection[UUID], now: datetime) -> dict[UUID, Any]:
        return grouped_members(interests_at(now).filter(customer__in=customer_ids, kind=kind), "customer_id", "name")

    return _profile(
        f"interest_{kind.value}",
        f"Interests: {kind.label}",
        FieldType.LIST,
        INTENT,
        to_q=to_q,
        read=read,
        help=help_text,
    )


def _has_interest(now: datetime) -> Combinable:
    return Exists(interests_at(now).filter(customer=OuterRef("pk")))


def _as_float(path: str) -> Any:
    return lambda now: Cast(F(path), FloatField())


def _has_email(now: datetime) -> Combinable:
    return Case(When(email="", then=Value(False)), default=Value(True), output_field=BooleanField())


def profile_fields() -> list[Field]:
    """Return the profile fields, in the order in which a marketer looks for them."""
    number, boolean, moment, choice = FieldType.NUMBER, FieldType.BOOLEAN, FieldType.DATETIME, FieldType.CHOICE
    return [
        _profile("intent_score", "Intent score", number, INTENT, lookup="intent_profile__intent_score", unit="of 100"),
        _profile("stage", "Stage", choice, INTENT, lookup="intent_profile__stage", choices=tuple(Stage.choices)),
        _profile(
            "last_drop_proba",
            "Exit likelihood (last)",
            number,
            INTENT,
            lookup="intent_profile__last_drop_proba",
            unit="%",
            help="As the latest signal said.",
        ),
        _profile("signal_count", "Signals", number, INTENT, expression=_as_float("intent_profile__signal_count")),
        _profile("first_signal_at", "First signal", moment, INTENT, lookup="intent_profile__first_signal_at"),
        _profile("last_signal_at", "Last signal", moment, INTENT, lookup="intent_profile__last_signal_at"),
        _profile("previous_visit_at", "Previous visit", moment, INTENT, lookup="intent_profile__previous_signal_at"),
        _profile("has_interest", "Has an interest", boolean, INTENT, expression=_has_interest),
        _interest_field(InterestKind.PRODUCT, "Product paths, such as /products/wool-scarf."),
        _interest_field(InterestKind.CATEGORY, "Categories, as the product feed writes them."),
        _interest_field(InterestKind.BRAND, "Brands, as the product feed writes them."),
        _interest_field(InterestKind.SEARCH, "What was searched for in the shop."),
        _profile("order_count", "Orders", number, ORDERS, expression=_order_count),
        _profile(
            "order_total", "Spent in all", number, ORDERS, expression=_order_total, help="In the store's currency."
        ),
        _profile("last_ordered_at", "Last order", moment, ORDERS, expression=_last_order),
        _profile(
            "in_checkout",
            "Is at the checkout",
            boolean,
            ORDERS,
            expression=_in_checkout,
            help="Moved in the shop's checkout within the last 24 hours and has not ordered yet.",
        ),
        _profile("last_checkout_at", "Last at the checkout", moment, ORDERS, expression=_last_checkout),
        _consent_field(Topic.MARKETING),
        _consent_field(Topic.PERSONALISATION),
        _consent_field(Topic.TRACKING),
        _profile("has_email", "Has an e-mail address", boolean, WHO, expression=_has_email),
        _text("email", "E-mail", "email"),
        _text("external_id", "Customer ID", "external_id"),
        _text("name", "Name", "name"),
        _text("time_zone", "Time zone", "time_zone", help="Such as Europe/Berlin."),
        _profile("created_at", "Profile since", moment, WHO, lookup="created_at"),
        _profile("last_seen_at", "Last seen", moment, WHO, lookup="last_seen_at"),
    ]


def register_profile_fields() -> None:
    """Put the profile fields of the rooms below into the catalogue."""
    for field in profile_fields():
        fields.register(field)
