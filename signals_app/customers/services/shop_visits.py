"""What happens around an order: the shopper at the till before it, the parcel after it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from signals_app.customers.constants import Evidence, FulfilmentState
from signals_app.customers.exceptions import InvalidValue
from signals_app.customers.models import Checkout, Fulfilment, Order
from signals_app.customers.services.resolution import resolve_one
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project


@transaction.atomic
def record_checkout(
    *,
    project: Project,
    identifiers: dict[str, Any],
    checkout_id: str,
    started_at: datetime,
    active_at: datetime,
    completed_at: datetime | None = None,
    total: Decimal | None = None,
    currency: str = "",
    now: datetime,
) -> Checkout:
    """
    Record that a shopper is at the till, or moved on there.

    Moments only move forward: what was said of an earlier one changes nothing. A checkout stays with the identifier
    that it was first seen with, and completed once it was.

    :raises InvalidInput: naming the value that cannot be used.
    """
    resolution = resolve_one(
        project=project, identifiers=identifiers, evidence=Evidence.ORDER, reference=checkout_id, now=now
    )
    checkout = Checkout(
        project=project,
        identifier=resolution.identifiers[checkout_id],
        checkout_id=checkout_id,
        total=total,
        currency=currency,
        started_at=started_at,
        active_at=active_at,
        completed_at=completed_at,
        created_at=now,
        updated_at=now,
    )
    _check(checkout, exclude=["project", "identifier"])
    Checkout.objects.bulk_create([checkout], ignore_conflicts=True)
    known = Checkout.objects.filter(project=project, checkout_id=checkout_id)
    known.filter(active_at__lt=active_at).update(active_at=active_at, total=total, currency=currency, updated_at=now)
    if completed_at is not None:
        known.filter(completed_at=None).update(completed_at=completed_at, updated_at=now)
    return known.get()


def complete_checkout(*, project: Project, checkout_id: str, completed_at: datetime, now: datetime) -> bool:
    """Note that an order came of a checkout, if it is known and was open."""
    still_open = Checkout.objects.filter(project=project, checkout_id=checkout_id, completed_at=None)
    return bool(checkout_id) and still_open.update(completed_at=completed_at, updated_at=now) > 0


@transaction.atomic
def record_fulfilment(
    *,
    order: Order,
    fulfilment_id: str,
    shipped_at: datetime,
    state: str = FulfilmentState.SHIPPED,
    tracking_url: str = "",
    now: datetime,
) -> tuple[Fulfilment, bool]:
    """
    Record that goods of an order are on their way, or what became of that, and say whether anything is news.

    :raises InvalidInput: naming the value that cannot be used.
    """
    said = {"state": state, "shipped_at": shipped_at, "tracking_url": tracking_url}
    fulfilment = Fulfilment(order=order, fulfilment_id=fulfilment_id, created_at=now, updated_at=now, **said)
    _check(fulfilment, exclude=["order"])
    Fulfilment.objects.bulk_create([fulfilment], ignore_conflicts=True)
    known = Fulfilment.objects.get(order=order, fulfilment_id=fulfilment_id)
    differs = ~Q(**said)
    is_new = known.pk == fulfilment.pk
    is_changed = not is_new and Fulfilment.objects.filter(differs, pk=known.pk).update(**said, updated_at=now) > 0
    if not (is_new or is_changed):
        return known, False
    known.refresh_from_db()
    fact_services.record(project=order.project, kind=FactKind.ORDER_FULFILLED, subject_ids=[str(known.pk)])
    return known, True


def _check(row: Checkout | Fulfilment, *, exclude: list[str]) -> None:
    try:
        row.clean_fields(exclude=exclude)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidValue(field, messages[0]) from error
    if isinstance(row, Checkout) and row.total is not None and row.total < 0:
        raise InvalidValue("total", "Must not be negative.")
