"""Two customers becoming one: pointers move, every room moves what hangs on the one that ends, its id is remembered."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, F, UUIDField, Value, When

from signals_app.core.bulk import write_rows
from signals_app.customers import facets
from signals_app.customers.joining import Pointer
from signals_app.customers.models import Customer, Identifier, MergedCustomer
from signals_app.customers.services.profile_copies import agreed
from signals_app.projects.models import Project


class Ended(NamedTuple):
    """A customer that ends, the one that takes it over, and an identifier that each had before."""

    gone: uuid.UUID
    keep: uuid.UUID
    identifier: int
    kept_identifier: int


def ended(gone: Mapping[uuid.UUID, uuid.UUID], pointers: Iterable[Pointer]) -> list[Ended]:
    """Return what is to be remembered of customers that end, given where identifiers of theirs stood before."""
    oldest: dict[uuid.UUID, int] = {}
    for pointer in pointers:
        oldest[pointer.customer_id] = min(pointer.pk, oldest.get(pointer.customer_id, pointer.pk))
    return [Ended(one, keep, oldest[one], oldest[keep]) for one, keep in sorted(gone.items())]


def move_pointers(gone: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Give the identifiers of customers that end, {gone: keep}, to those that take them over."""
    whens = [When(customer_id=one, then=Value(keep, UUIDField())) for one, keep in gone.items()]
    Identifier.objects.filter(customer_id__in=gone).update(
        customer_id=Case(*whens, default=F("customer_id"), output_field=UUIDField())
    )


def take_over(gone: Mapping[uuid.UUID, uuid.UUID], customers: Mapping[uuid.UUID, Customer]) -> None:
    """
    Set, without saving it, what each that stays has from those that end, {gone: keep}, all of them locked.

    When it was seen last, and what the rows say that come along: as the copies are true, it follows from these.
    """
    for one, keep in gone.items():
        ended, kept = customers[one], customers[keep]
        kept.last_seen_at = max(filter(None, (ended.last_seen_at, kept.last_seen_at)), default=None)
        kept.marketing_consent = agreed((ended.marketing_consent, kept.marketing_consent))
        kept.has_ordered = ended.has_ordered or kept.has_ordered


def end_customers(
    project: Project, endings: Iterable[Ended], customers: Mapping[uuid.UUID, Customer], now: datetime
) -> None:
    """Let every room move what hangs on the customers that end, then end them, and remember their ids."""
    endings = list(endings)
    gone_of: dict[uuid.UUID, list[Customer]] = {}
    for one in endings:
        gone_of.setdefault(one.keep, []).append(customers[one.gone])
    for keep, gone in gone_of.items():
        for facet in facets.all():
            if facet.merge:
                facet.merge(customers[keep], gone, now)
    Customer.objects.filter(id__in=[one.gone for one in endings]).delete()
    write_rows(
        MergedCustomer,
        fields=("id", "project", "identifier", "kept_id", "kept_identifier", "merged_at"),
        rows=((one.gone, project.pk, one.identifier, one.keep, one.kept_identifier, now) for one in endings),
        unique=("id",),
    )


def current_customer_id(*, project: Project, former_id: uuid.UUID) -> uuid.UUID | None:
    """Return who has taken over a customer that ended in a merge; None for an id that never was one, or was erased."""
    rows = MergedCustomer.objects.filter(project=project, pk=former_id)
    return rows.values_list("identifier__customer_id", flat=True).first()
