"""Everything about one person, handed out as JSON values; `archive.py` makes a file of it."""

from __future__ import annotations

from typing import Any

from signals_app.customers import facets
from signals_app.customers.models import Customer


def export_customer(*, customer: Customer) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return every row about a person, `{"facet": {"table": [{...}]}}`, in JSON values."""
    return {
        facet.name: {table.name: list(table.rows(customer)) for table in facets.export_tables(facet, customer)}
        for facet in facets.all()
    }
