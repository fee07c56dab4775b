"""Everything about one person, handed out as JSON values; `archive.py` makes a file of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from signals_app.customers import facets
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer
from signals_app.customers.services import tombstones
from signals_app.projects.models import Project


def export_customer(*, customer: Customer) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return every row about a person, `{"facet": {"table": [{...}]}}`, in JSON values."""
    return {facet.name: {table.name: list(table.rows(customer)) for table in facet.tables} for facet in facets.all()}


@transaction.atomic
def bury_identifiers(*, project: Project, identifiers: dict[str, Any], now: datetime) -> None:
    """
    Remember that whoever these identifiers name was erased, although nothing is known of them.

    What is still on its way, or replayed, then brings nobody back.

    :raises InvalidInput: naming the identifier that cannot be used.
    """
    keys = [Key(kind, value) for kind, value in normalise_all(identifiers).items()]
    tombstones.bury(project=project, keys=keys, now=now)
