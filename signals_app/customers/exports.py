"""The lists of this room that can be exported, in pages along an index."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from signals_app.customers import services
from signals_app.customers.constants import Channel, Topic
from signals_app.customers.models import ConsentChange, Customer, Order
from signals_app.projects.models import Project
from signals_app.transfers.kinds import ExportContext, ExportKind, Page, no_parameters

COUNTED_TO = 1_000_000
"""A progress bar needs no exact number."""

PROFILE_COLUMNS = (
    *("Profile", "E-mail", "Customer ID", "Name", "Time zone", "Country", "Profile since", "Last seen"),
    *(f"Consent: {topic.label}" for topic in Topic),
)


def profile_rows(customers: Collection[Customer]) -> list[list[Any]]:
    """Return the cells of some profiles, under `PROFILE_COLUMNS`; two queries for all of them."""
    said = services.consents_of([customer.pk for customer in customers])
    return [
        [
            str(customer.pk),
            customer.email,
            customer.external_id,
            customer.name,
            customer.time_zone,
            _text(customer.attributes, "country"),
            customer.created_at,
            customer.last_seen_at,
            *(said[customer.pk].get(f"{Channel.EMAIL.value}.{topic.value}") for topic in Topic),
        ]
        for customer in customers
    ]


def _text(attributes: Any, name: str) -> str:
    value = attributes.get(name, "") if isinstance(attributes, dict) else ""
    return value if isinstance(value, str) else ""


def by_id(queryset: QuerySet[Any], after: Any, limit: int) -> tuple[list[Any], Any]:
    """Return the next rows of a queryset whose ids rise, and the id after which the page after it begins."""
    if after is not None:
        queryset = queryset.filter(pk__gt=after)
    found = list(queryset.order_by("pk")[:limit])
    return found, (found[-1].pk if len(found) == limit else None)


def as_json(after: Any) -> Any:
    """Return where a page begins as JSON can keep it."""
    return str(after) if isinstance(after, uuid.UUID) else after


def counted(queryset: QuerySet[Any]) -> int:
    """Count to a limit."""
    return queryset.order_by()[:COUNTED_TO].count()


def _profiles(context: ExportContext) -> QuerySet[Customer]:
    return Customer.objects.filter(project=context.project, created_at__lte=context.now)


def _profile_page(context: ExportContext, after: Any, limit: int) -> Page:
    found, following = by_id(_profiles(context), after, limit)
    return Page(profile_rows(found), as_json(following))


def _by_moment(queryset: QuerySet[Any], name: str, after: Any, limit: int) -> tuple[list[Any], list[str] | None]:
    """Return the next rows along a time and the id, oldest first, and where the page after it begins."""
    if after is not None:
        at: datetime | None = parse_datetime(after[0])
        # The second condition is implied by the first, but only it can be looked up in an index.
        queryset = queryset.filter(
            Q(**{f"{name}__gt": at}) | Q(**{name: at, "pk__gt": after[1]}), **{f"{name}__gte": at}
        )
    found = list(queryset.order_by(name, "pk")[:limit])
    return found, [getattr(found[-1], name).isoformat(), str(found[-1].pk)] if len(found) == limit else None


def _orders(context: ExportContext) -> QuerySet[Order]:
    return Order.objects.filter(project=context.project, created_at__lte=context.now)


def _order_page(context: ExportContext, after: Any, limit: int) -> Page:
    found, following = _by_moment(_orders(context).select_related("identifier__customer"), "placed_at", after, limit)
    rows = [
        [
            order.order_id,
            order.identifier.customer.email,
            order.identifier.customer.external_id,
            order.total,
            order.currency,
            order.refunded_total,
            order.get_state_display(),
            order.country,
            order.placed_at,
        ]
        for order in found
    ]
    return Page(rows, following)


def _consent_changes(context: ExportContext) -> QuerySet[ConsentChange]:
    return ConsentChange.objects.filter(identifier__project=context.project, recorded_at__lte=context.now)


def _consent_page(context: ExportContext, after: Any, limit: int) -> Page:
    found, following = by_id(_consent_changes(context).select_related("identifier"), after, limit)
    rows = [
        [
            change.identifier.get_kind_display(),
            change.identifier.value,
            change.get_topic_display(),
            change.is_granted,
            change.source,
            change.wording,
            change.occurred_at,
            change.recorded_at,
            change.evidence,
        ]
        for change in found
    ]
    return Page(rows, following)


def everything(project: Project, parameters: Mapping[str, Any]) -> str:
    """Say what a list without parameters holds."""
    return "All of the store"


def _columns(names: Iterable[str]) -> Any:
    listed = list(names)
    return lambda context: listed


PROFILES = ExportKind(
    name="profiles",
    label="Profiles",
    explanation="Every profile with its e-mail, customer ID and consents.",
    columns=_columns(PROFILE_COLUMNS),
    page=_profile_page,
    count=lambda context: counted(_profiles(context)),
    check=no_parameters,
    words=everything,
)
CONSENTS = ExportKind(
    name="consents",
    label="Consents",
    explanation="Everything that shoppers allowed or refused, with its proof, in the order in which it was recorded.",
    columns=_columns(
        ("Known by", "ID", "Purpose", "Agreed", "Where", "Wording", "When", "Recorded", "Evidence"),
    ),
    page=_consent_page,
    count=lambda context: counted(_consent_changes(context)),
    check=no_parameters,
    words=everything,
)
ORDERS = ExportKind(
    name="orders",
    label="Orders",
    explanation="Every order with its shopper, total and state, oldest first.",
    columns=_columns(
        ("Order number", "E-mail", "Customer ID", "Total", "Currency", "Refunded", "State", "Country", "When"),
    ),
    page=_order_page,
    count=lambda context: counted(_orders(context)),
    check=no_parameters,
    words=everything,
)

EXPORTS = (PROFILES, CONSENTS, ORDERS)
