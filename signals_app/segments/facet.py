"""Which audiences a profile is in now; the room keeps no rows about a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from signals_app.customers.facets import Facet, TimelineEntry, Trait
from signals_app.customers.models import Customer
from signals_app.segments import services


def describe(customer: Customer, now: datetime) -> list[Trait]:
    names = services.segments_of(customer=customer, now=now)
    return [Trait("Segments", "" if names else "None", tuple(names))]


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    return []


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    return {}


def erase(customer: Customer) -> int:
    return 0


FACET = Facet(
    name="segments",
    label="Segments",
    models=(),
    timeline=timeline,
    export=export,
    erase=erase,
    describe=describe,
)
