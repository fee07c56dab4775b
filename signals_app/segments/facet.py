"""Which audiences a profile is in now; the room keeps no rows about a person."""

from __future__ import annotations

from datetime import datetime

from signals_app.customers.facets import Facet, Trait
from signals_app.customers.models import Customer
from signals_app.segments import services


def describe(customer: Customer, now: datetime) -> list[Trait]:
    names = services.segments_of(customer=customer, now=now)
    return [Trait("Segments", "" if names else "None", tuple(names))]


FACET = Facet(name="segments", label="Segments", models=(), describe=describe)
