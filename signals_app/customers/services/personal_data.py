"""Everything about one person: handed out, or taken away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from signals_app.customers import facets
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer, Identifier
from signals_app.customers.services import tombstones
from signals_app.customers.services.locks import lock_customers
from signals_app.projects.models import Project


def export_customer(*, customer: Customer) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return every row about a person, `{"facet": {"table": [{...}]}}`, in JSON values."""
    return {facet.name: facet.export(customer) for facet in facets.all()}


@transaction.atomic
def erase_customer(*, customer: Customer, now: datetime) -> dict[str, int]:
    """
    Delete every row about a person, in every room, and return how many by facet.

    Keyed hashes of the identifiers stay, so that replays and imports do not bring the person back.
    """
    if not lock_customers([customer.id]):
        return {}
    keys = [
        Key(kind, value) for kind, value in Identifier.objects.filter(customer=customer).values_list("kind", "value")
    ]
    tombstones.bury(project=customer.project, keys=keys, now=now)
    # Higher rooms first: their rows point at those of lower ones.
    erased = {facet.name: facet.erase(customer) for facet in reversed(facets.all())}
    Customer.objects.filter(pk=customer.pk).delete()
    return erased


@transaction.atomic
def bury_identifiers(*, project: Project, identifiers: dict[str, Any], now: datetime) -> None:
    """
    Remember that whoever these identifiers name was erased, although nothing is known of them.

    What is still on its way, or replayed, then brings nobody back.

    :raises InvalidInput: naming the identifier that cannot be used.
    """
    keys = [Key(kind, value) for kind, value in normalise_all(identifiers).items()]
    tombstones.bury(project=project, keys=keys, now=now)
