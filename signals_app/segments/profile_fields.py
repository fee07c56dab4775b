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
from django.db.models.functions import Cast, Coalesce

from signals_app.customers.constants import Channel, OrderState, Topic
from signals_app.customers.models import Checkout, Consent, Order
from signals_app.segments import fields
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.segments.related_rows import (
    choice_conditions,
    latest_conditions,
    list_conditions,
    number_conditions,
    stated_conditions,
    yes_conditions,
)
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import InterestKind, Stage
from signals_app.shopper_signals.models import Interest
from signals_app.shopper_signals.services.interest_rows import FADED

WHO, INTENT, ORDERS, CONSENT = "Profile", "Buying intent", "Orders", "Consent"


def _profile(name: str, label: str, kind: FieldType, group: str, **more: Any) -> Field:
    return Field(name=name, label=label, type=kind, scope=Scope.PROFILE, group=group, **more)


def _text(name: str, label: str, path: str, **more: Any) -> Field:
    return _profile(name, label, FieldType.TEXT, WHO, lookup=path, **more)


# --- Orders: one subquery per shopper to read, one set for all to ask -------------------------------------------------

OWNER = "identifier__customer"


def _placed(now: datetime) -> QuerySet[Order]:
    return Order.objects.filter(state=OrderState.PLACED)


def _paid(now: datetime) -> QuerySet[Order]:
    """Return orders whose totals may be added up: dollars and euros make no sum."""
    return _placed(now).filter(currency=F("project__currency"))


def _of_orders(orders: QuerySet[Order], aggregate: Any, output_field: Any) -> Subquery:
    theirs = orders.filter(identifier__customer=OuterRef("pk")).order_by()
    grouped = theirs.values(OWNER).annotate(answer=aggregate).values("answer")
    return Subquery(grouped, output_field=output_field)


_ORDERS_COUNTED = Cast(Count("pk"), FloatField())
_ORDERS_SUMMED = Cast(Sum("total"), FloatField())


def _order_count(now: datetime) -> Combinable:
    return Coalesce(_of_orders(_placed(now), _ORDERS_COUNTED, FloatField()), Value(0.0))


def _order_total(now: datetime) -> Combinable:
    return Coalesce(_of_orders(_paid(now), _ORDERS_SUMMED, FloatField()), Value(0.0))


def _last_order(now: datetime) -> Combinable:
    return _of_orders(_placed(now), Max("placed_at"), DateTimeField())


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


def _consents(topic: Topic) -> QuerySet[Consent]:
    return Consent.objects.filter(channel=Channel.EMAIL, topic=topic)


def _read_consent(topic: Topic) -> Any:
    """Return a reader of what these customers said: a query of its own, since a database asked within another reads all."""

    def read(customer_ids: Collection[UUID], now: datetime) -> dict[UUID, Any]:
        said = _consents(topic).filter(identifier__customer__in=customer_ids)
        answers: dict[UUID, Any] = {}
        # False before True: the "no" stays.
        for customer_id, is_granted in said.order_by("is_granted").values_list(OWNER, "is_granted"):
            answers.setdefault(customer_id, "granted" if is_granted else "denied")
        return answers

    return read


def _consent_field(topic: Topic, **stands: Any) -> Field:
    return _profile(
        f"consent_{topic.value}",
        f"Consent: {topic.label}",
        FieldType.CHOICE,
        CONSENT,
        choices=(("granted", "Granted"), ("denied", "Denied")),
        help="Not known: the shopper was never asked.",
        **stands,
    )


def _consent_of_rows(topic: Topic) -> Field:
    rows = _consents(topic).filter(identifier__customer=OuterRef("pk"))
    ranked = {"denied": Q(is_granted=False), "granted": Q(is_granted=True)}
    return _consent_field(topic, read=_read_consent(topic), to_q=stated_conditions(rows, ranked))


_MARKETING = {"granted": Q(marketing_consent__is=True), "denied": Q(marketing_consent__is=False)}


def _marketing_consent(now: datetime) -> Combinable:
    return Case(*(When(q, then=Value(value)) for value, q in _MARKETING.items()), output_field=CharField(null=True))


def _consent_on_profile() -> Field:
    """Return the field of the consent that a profile keeps a copy of."""
    known = Q(marketing_consent__isnull=False)
    return _consent_field(
        Topic.MARKETING, expression=_marketing_consent, to_q=choice_conditions(known, _MARKETING.__getitem__)
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


def _interests_of_outer(now: datetime) -> QuerySet[Interest]:
    """Return the interests, not faded at `now`, of the profile of the query around, whose half-life it brings along."""
    half_life = Cast(OuterRef("intent_profile__half_life_hours"), FloatField())
    floor = Value(decay.hours(now), output_field=FloatField()) / half_life + Value(math.log2(FADED))
    return Interest.objects.filter(customer=OuterRef("pk"), weight_log2__gte=floor)


def grouped_members(rows: QuerySet[Any], owner: str, member: str) -> dict[UUID, Any]:
    """Return {owner: [member, ...]} in the order of the rows."""
    lists: dict[UUID, Any] = {}
    for owner_id, value in rows.values_list(owner, member):
        lists.setdefault(owner_id, []).append(value)
    return lists


def _interest_field(kind: InterestKind, help_text: str) -> Field:
    def to_q(op: str, value: Any, now: datetime) -> Q:
        return list_conditions(op, _interests_of_outer(now).filter(kind=kind), "name", value)

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


def _has_interest(now: datetime) -> Any:
    return Exists(_interests_of_outer(now))


def _as_float(path: str) -> Any:
    return lambda now: Cast(F(path), FloatField())


def _has_email(now: datetime) -> Combinable:
    return Case(When(email="", then=Value(False)), default=Value(True), output_field=BooleanField())


def profile_fields() -> list[Field]:
    """Return the profile fields, in the order in which a marketer looks for them."""
    return [*_intent_fields(), *_order_fields(), *_person_fields()]


def _intent_fields() -> list[Field]:
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
        _profile(
            "loops_ratio",
            "Back-and-forth compared with usual",
            number,
            INTENT,
            lookup="intent_profile__loops_ratio",
            unit="times",
            help="1 is as usual; the shopper's recent signals together.",
        ),
        _profile(
            "dead_clicks_over_usual",
            "Dead clicks above usual",
            number,
            INTENT,
            lookup="intent_profile__dead_clicks_over_usual",
            unit="a signal",
            help="0 is as usual, less is below zero; the shopper's recent signals together.",
        ),
        _profile(
            "performance_percentile",
            "Time spent (percentile)",
            number,
            INTENT,
            lookup="intent_profile__performance_percentile",
            unit="of 100",
            help="The shopper's longest recent time spent, among this store's signals of 7 days: 90 is more than 90 % of them.",
        ),
        _profile("signal_count", "Signals", number, INTENT, expression=_as_float("intent_profile__signal_count")),
        _profile("first_signal_at", "First signal", moment, INTENT, lookup="intent_profile__first_signal_at"),
        _profile("last_signal_at", "Last signal", moment, INTENT, lookup="intent_profile__last_signal_at"),
        _profile("previous_visit_at", "Previous visit", moment, INTENT, lookup="intent_profile__previous_signal_at"),
        _profile(
            "has_interest",
            "Has an interest",
            boolean,
            INTENT,
            expression=_has_interest,
            to_q=yes_conditions(lambda now: Q(_has_interest(now))),
        ),
        _interest_field(InterestKind.PRODUCT, "Product paths, such as /products/wool-scarf."),
        _interest_field(InterestKind.CATEGORY, "Categories, as the product feed writes them."),
        _interest_field(InterestKind.BRAND, "Brands, as the product feed writes them."),
        _interest_field(InterestKind.SEARCH, "What was searched for in the shop."),
        _interest_field(InterestKind.CONTENT, "Paths of articles and guides, as the URL patterns name them."),
    ]


def _order_fields() -> list[Field]:
    number, boolean, moment = FieldType.NUMBER, FieldType.BOOLEAN, FieldType.DATETIME
    return [
        _profile(
            "order_count",
            "Orders",
            number,
            ORDERS,
            expression=_order_count,
            to_q=number_conditions(_placed, OWNER, _ORDERS_COUNTED, counts=True),
        ),
        _profile(
            "order_total",
            "Spent in all",
            number,
            ORDERS,
            expression=_order_total,
            to_q=number_conditions(_paid, OWNER, _ORDERS_SUMMED),
            help="Orders in the store's currency; those in others are left out.",
        ),
        _profile(
            "last_ordered_at",
            "Last order",
            moment,
            ORDERS,
            expression=_last_order,
            to_q=latest_conditions(_placed, OWNER, "placed_at"),
        ),
        _profile(
            "in_checkout",
            "Is at the checkout",
            boolean,
            ORDERS,
            expression=_in_checkout,
            to_q=yes_conditions(lambda now: Q(_in_checkout(now))),
            help="Moved in the shop's checkout within the last 24 hours and has not ordered yet.",
        ),
        _profile(
            "last_checkout_at",
            "Last at the checkout",
            moment,
            ORDERS,
            expression=_last_checkout,
            to_q=latest_conditions(lambda now: Checkout.objects.all(), OWNER, "active_at"),
        ),
    ]


def _person_fields() -> list[Field]:
    boolean, moment = FieldType.BOOLEAN, FieldType.DATETIME
    return [
        _consent_on_profile(),
        _consent_of_rows(Topic.PERSONALISATION),
        _consent_of_rows(Topic.TRACKING),
        _profile(
            "has_email",
            "Has an e-mail address",
            boolean,
            WHO,
            expression=_has_email,
            to_q=yes_conditions(lambda now: ~Q(email="")),
        ),
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
