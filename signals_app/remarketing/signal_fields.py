"""The fields that a trigger may ask for, of a signal or of an order, and what remarketing knows of a profile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, DateTimeField, FloatField, Max, OuterRef, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce

from signals_app.customers.constants import OrderState
from signals_app.customers.models import Order
from signals_app.emails.constants import COUNTED_STATES
from signals_app.emails.models import EmailMessage
from signals_app.segments import fields
from signals_app.segments.fields import Field, FieldType, Scope
from signals_app.segments.related_rows import latest_conditions, number_conditions
from signals_app.shopper_signals.constants import Stage

LEAVING, VISIT, PROFILE, ORDER, MAILS = "Leaving", "This visit", "The shopper", "The order", "Mails"

NUMBER, BOOLEAN, CHOICE, LIST = FieldType.NUMBER, FieldType.BOOLEAN, FieldType.CHOICE, FieldType.LIST


def _signal(name: str, label: str, kind: FieldType, group: str, help_text: str = "", **more: Any) -> Field:
    return Field(name=name, label=label, type=kind, scope=Scope.SIGNAL, group=group, help=help_text, **more)


def _order(name: str, label: str, kind: FieldType, help_text: str = "", **more: Any) -> Field:
    return Field(name=name, label=label, type=kind, scope=Scope.ORDER, group=ORDER, help=help_text, **more)


SIGNAL_FIELDS = (
    _signal("drop_proba", "Exit likelihood", NUMBER, LEAVING, "How likely the shopper is to leave next.", unit="%"),
    _signal("intent_score", "Intent score", NUMBER, LEAVING, "0 to 100, with this signal counted in.", unit="of 100"),
    _signal("stage", "Stage", CHOICE, LEAVING, choices=tuple(Stage.choices)),
    _signal("num_events", "Events", NUMBER, VISIT, "What the shopper did in this visit so far."),
    _signal("performance", "Time spent (index)", NUMBER, VISIT, "As Insightarc reports it; it names no unit."),
    _signal(
        "performance_percentile",
        "Time spent (percentile)",
        NUMBER,
        VISIT,
        "Among this store's signals of 7 days: 90 is more than 90 % of them.",
        unit="of 100",
    ),
    _signal("num_loops", "Back-and-forth", NUMBER, VISIT),
    _signal("avg_loops", "Back-and-forth, usual level", NUMBER, VISIT),
    _signal("loops_ratio", "Back-and-forth compared with usual", NUMBER, VISIT, "1 is as usual.", unit="times"),
    _signal("num_broken_buttons", "Dead clicks", NUMBER, VISIT),
    _signal("avg_broken_buttons", "Dead clicks, usual level", NUMBER, VISIT),
    _signal("dead_clicks_over_usual", "Dead clicks above usual", NUMBER, VISIT, "0 is as usual, less is below zero."),
    _signal("products_viewed", "Products viewed", NUMBER, VISIT, "Different products."),
    _signal("most_views_of_one_product", "Views of one product, at most", NUMBER, VISIT),
    _signal("viewed_product_keys", "Viewed products", LIST, VISIT, "Product paths, such as /products/wool-scarf."),
    _signal("visited_cart", "Visited the cart", BOOLEAN, VISIT),
    _signal("is_clean", "Every value readable", BOOLEAN, VISIT),
    _signal("days_since_previous_signal", "Days since the previous visit", NUMBER, PROFILE),
    _signal("has_interest", "Has an interest", BOOLEAN, PROFILE),
)

ORDER_FIELDS = (
    _order("order_state", "Order state", CHOICE, choices=tuple(OrderState.choices)),
    _order("order_total", "Order total", NUMBER, "In the order's currency."),
    _order("order_currency", "Order currency", FieldType.TEXT, "Such as EUR."),
    _order("order_item_count", "Items ordered", NUMBER),
    _order("order_is_first", "First order", BOOLEAN),
)


def order_values(order: Order) -> dict[str, Any]:
    """Return the values of the fields of an order that was read `with_history`."""
    quantities = [item.get("quantity", 1) for item in order.items if isinstance(item, dict)]
    return {
        "order_state": order.state,
        "order_total": float(order.total),
        "order_currency": order.currency,
        "order_item_count": sum(number for number in quantities if isinstance(number, int)),
        "order_is_first": not order.has_earlier_order,  # type: ignore[attr-defined]
    }


OWNER = "identifier__customer"
_COUNTED = Cast(Count("pk"), FloatField())


def _mails(now: datetime) -> QuerySet[EmailMessage]:
    return EmailMessage.objects.filter(state__in=COUNTED_STATES).order_by()


def _recent_mails(now: datetime) -> QuerySet[EmailMessage]:
    return _mails(now).filter(sending_at__gt=now - timedelta(days=30))


def _last_mail(now: datetime) -> Combinable:
    of_one = _mails(now).filter(identifier__customer=OuterRef("pk"))
    latest = of_one.values(OWNER).annotate(answer=Max("sending_at")).values("answer")
    return Subquery(latest, output_field=DateTimeField())


def _mails_in_30_days(now: datetime) -> Combinable:
    of_one = _recent_mails(now).filter(identifier__customer=OuterRef("pk"))
    counted = of_one.values(OWNER).annotate(answer=_COUNTED).values("answer")
    return Coalesce(Subquery(counted, output_field=FloatField()), Value(0.0))


PROFILE_FIELDS = (
    Field(
        "last_mail_at",
        "Last mail",
        FieldType.DATETIME,
        Scope.PROFILE,
        expression=_last_mail,
        to_q=latest_conditions(_mails, OWNER, "sending_at"),
        group=MAILS,
    ),
    Field(
        "mails_30_days",
        "Mails in 30 days",
        NUMBER,
        Scope.PROFILE,
        expression=_mails_in_30_days,
        to_q=number_conditions(_recent_mails, OWNER, _COUNTED, counts=True),
        group=MAILS,
    ),
)


def register_fields() -> None:
    """Put these fields into the catalogue."""
    for field in (*SIGNAL_FIELDS, *ORDER_FIELDS, *PROFILE_FIELDS):
        fields.register(field)
