"""
The newest rows about a customer, page by page, for the story that a profile tells.

Rows hang on identifiers, of which a customer may have very many (one a visit). A sort over all their rows costs with
all that is stored about a shopper; here each identifier is looked into along its own index, for as many rows as can
be shown.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from signals_app.customers.facets import Excerpt, Place
from signals_app.customers.models import Customer

M = TypeVar("M", bound=Model)


def ordered(rows: QuerySet[M], excerpt: Excerpt, *, kind: str, at: str) -> QuerySet[M]:
    """Return the rows that an excerpt asks for, newest first; `at` is the column or annotation of their time."""
    return rows.filter(_beyond(rows, excerpt.after, kind, at)).order_by(f"-{at}", "-pk")[: excerpt.limit]


def of_customer(rows: QuerySet[M], excerpt: Excerpt, *, customer: Customer, kind: str, at: str) -> list[M]:
    """Return what an excerpt asks for of rows that have an `identifier`, and an index over it and their time."""
    if connection.vendor != "postgresql":  # SQLite has no LATERAL, and no shop of such a size
        return list(ordered(rows.filter(identifier__customer=customer), excerpt, kind=kind, at=at))
    per_node = ordered(
        rows.filter(identifier_id=RawSQL("node.id", ())).select_related(None), excerpt, kind=kind, at=at
    ).values_list("pk", at)
    inner, parameters = per_node.query.sql_with_params()
    statement = (
        'SELECT found.pk FROM "customers_identifier" AS node '  # noqa: S608 - written by Django, values apart
        f"CROSS JOIN LATERAL ({inner}) AS found (pk, at) WHERE node.customer_id = %s "
        "ORDER BY found.at DESC, found.pk DESC LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, customer.pk, excerpt.limit])
        keys = [pk for (pk,) in cursor.fetchall()]
    by_key = rows.in_bulk(keys)
    return [by_key[key] for key in keys if key in by_key]


def _beyond(rows: QuerySet[Any], after: Place | None, kind: str, at: str) -> Q:
    """Return the condition that rows of a kind come after a place."""
    if after is None:
        return Q()
    if kind > after.kind:
        return Q(**{f"{at}__lt": after.at})
    not_newer = Q(**{f"{at}__lte": after.at})
    if kind < after.kind:
        return not_newer
    try:
        key = rows.model._meta.pk.to_python(after.reference)
    except ValidationError:  # of a made-up address
        return Q(**{f"{at}__lt": after.at})
    # The first condition is implied by the second, but only it can be looked up in an index.
    return not_newer & (Q(**{f"{at}__lt": after.at}) | Q(**{at: after.at, "pk__lt": key}))
