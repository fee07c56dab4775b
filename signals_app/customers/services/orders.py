"""Purchases in the shop."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from signals_app.core.bulk import read_rows
from signals_app.core.clock import why_never
from signals_app.core.currencies import ISO_4217
from signals_app.customers.constants import Evidence, OrderState
from signals_app.customers.exceptions import InvalidValue
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.customers.services.locks import lock_owners
from signals_app.customers.services.owners import owners_of
from signals_app.customers.services.profile_copies import customers_with_orders, note_copies
from signals_app.customers.services.resolution import resolve_one
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project

UNDONE_STATES = (OrderState.CANCELLED, OrderState.REFUNDED)


@transaction.atomic
def record_order(
    *,
    project: Project,
    identifiers: dict[str, Any],
    order_id: str,
    total: Decimal,
    currency: str,
    placed_at: datetime,
    items: Sequence[dict[str, Any]] | None = None,
    state: str | None = None,
    refunded_total: Decimal | None = None,
    name: str = "",
    country: str | None = None,
    now: datetime,
) -> tuple[Order, bool]:
    """
    Record an order, or what became of one, and say whether it is new.

    `total` and `refunded_total` are in `currency`. What is None, or an empty `name`, stays as it is known: a shop that
    tells of an order again, without its refund, has not taken the refund back. A state that is said without an amount
    means a refund of everything or of nothing. An order that is already known keeps its identifier, and may be told of
    without any. `items`: see `Order.items`; `name`: see `Order.name`; `country`: where it was bought for, in two
    letters.

    :raises InvalidInput: naming the value that cannot be used.
    """
    if problem := why_never(placed_at, now=now):
        raise InvalidValue("placed_at", problem)
    if refunded_total is None and state is not None:
        refunded_total = total if state == OrderState.REFUNDED else Decimal(0)
    told = {
        "state": state,
        "refunded_total": refunded_total,
        "items": None if items is None else list(items),
        "name": name or None,
        "country": None if country is None else country.upper(),
    }
    said = {"total": total, "currency": currency, "placed_at": placed_at}
    said |= {field: value for field, value in told.items() if value is not None}
    known = Order.objects.filter(project=project, order_id=order_id).select_related("identifier").first()
    identifier, owners = _whose(project, order_id, identifiers, known, now)
    refunded_before = {} if known is None else {"refunded_total": known.refunded_total}
    check_order(Order(project=project, identifier=identifier, order_id=order_id, **refunded_before | said))
    order, is_created = Order.objects.update_or_create(
        project=project, order_id=order_id, defaults=said, create_defaults={**said, "identifier": identifier}
    )
    note_orders([(order.identifier_id, order.state)], owners, now=now)
    fact_services.record(project=project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(order.pk)])
    return order, is_created


def _whose(
    project: Project, order_id: str, identifiers: dict[str, Any], known: Order | None, now: datetime
) -> tuple[Identifier, dict[int, Customer]]:
    """Return whose order it is, and the customers whom that concerns, locked, by identifier."""
    holding = [known.identifier_id] if known else []
    if known is not None and not normalise_all(identifiers):
        return known.identifier, lock_owners(holding)
    resolution = resolve_one(
        project=project,
        identifiers=identifiers,
        evidence=Evidence.ORDER,
        reference=order_id,
        holding=holding,
        now=now,
    )
    identifier = resolution.identifiers[order_id]
    return identifier, {identifier.pk: identifier.customer} | resolution.held


def note_orders(written: Iterable[tuple[int, str]], owners: Mapping[int, Customer], *, now: datetime) -> None:
    """
    Copy to the (locked) owners of identifiers what orders of theirs say, just written, each as (identifier, state).

    Only who had ordered, and of whom one is cancelled, has to be asked for others. Note [Copies], in `profile_copies`.
    """
    states = list(written)
    if missing := {identifier for identifier, _ in states} - owners.keys():
        owners = {**owners, **lock_owners(missing)}  # another transaction was faster, with another shopper
    customers: dict[uuid.UUID, Customer] = {}
    have_ordered: dict[uuid.UUID, bool] = {}
    for identifier, state in states:
        if (customer := owners.get(identifier)) is not None:  # else they are being erased
            customers[customer.pk] = customer
            have_ordered[customer.pk] = have_ordered.get(customer.pk, False) or state != OrderState.CANCELLED
    if doubtful := {pk for pk, has_ordered in have_ordered.items() if customers[pk].has_ordered and not has_ordered}:
        left = customers_with_orders(owners_of(doubtful))
        have_ordered |= {pk: pk in left for pk in doubtful}
    note_copies("has_ordered", have_ordered, customers, now=now)


def last_order_at(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Return when each of these customers last ordered something that was not undone; who never did is left out."""
    rows = (
        Order.objects.filter(identifier__customer__any_of=customer_ids)
        .exclude(state__in=UNDONE_STATES)
        .values_list("identifier__customer_id")
        .annotate(Max("placed_at"))
    )
    return dict(read_rows(rows))


def set_refunded(*, order: Order, refunded_total: Decimal, now: datetime) -> bool:
    """
    Note how much of an order was given back in all, and say whether that is news; all of it makes it a refunded one.

    :raises InvalidInput: if it is negative, or more than was paid.
    """
    with transaction.atomic():
        # As it is now: it may have been cancelled since, and stays so.
        order.refresh_from_db(from_queryset=Order.objects.select_for_update(no_key=True))
        state = order.state
        if state == OrderState.PLACED and 0 < order.total <= refunded_total:
            state = OrderState.REFUNDED
        if (order.refunded_total, order.state) == (refunded_total, state):
            return False
        order.refunded_total, order.state, order.updated_at = refunded_total, OrderState(state), now
        check_order(order)
        order.save(update_fields=["refunded_total", "state", "updated_at"])
        fact_services.record(project=order.project, kind=FactKind.ORDER_RECORDED, subject_ids=[str(order.pk)])
    return True


def check_order(order: Order) -> None:
    """
    Refuse an order that says what cannot be.

    :raises InvalidValue: naming the value.
    """
    try:
        order.clean_fields(exclude=["project", "identifier"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidValue(field, messages[0]) from error
    if order.currency not in ISO_4217:
        raise InvalidValue("currency", "Not a currency; write three letters, such as EUR.")
    if order.total < 0:
        raise InvalidValue("total", "Must not be negative.")
    if not 0 <= order.refunded_total <= order.total:
        raise InvalidValue("refunded_total", "Must lie between 0 and the total.")
