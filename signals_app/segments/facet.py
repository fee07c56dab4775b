"""Which audiences a profile is in now; the room keeps no rows about a person, but what people wrote may name one."""

from __future__ import annotations

from datetime import datetime

from signals_app.customers.facets import ErasePart, Facet, Step, Subject, Trait
from signals_app.customers.forgetting import take_out_of_fields
from signals_app.customers.mentions import Mentions
from signals_app.customers.models import Customer
from signals_app.segments import conditions, fields, services
from signals_app.segments.fields import Scope
from signals_app.segments.models import Segment


def describe(customer: Customer, now: datetime) -> list[Trait]:
    names = services.segments_of(customer=customer, now=now)
    return [Trait("Segments", "" if names else "None", tuple(names))]


def _take_out(subject: Subject, place: str, limit: int) -> Step:
    """Take the person out of segments; of these a store has a few hundred at most."""
    wanted, catalogue = Mentions(subject.known_ids), fields.fields(Scope.PROFILE)
    count = 0
    for segment in Segment.objects.select_for_update().filter(project=subject.customer.project).order_by("pk"):
        segment.conditions, taken = conditions.without_person(segment.conditions, wanted, catalogue)
        named = take_out_of_fields(segment, wanted, ("name", "description"))
        if taken or named:
            segment.save(update_fields=["conditions", *named, "updated_at"])
            count += 1
    return Step(count)


FACET = Facet(
    name="segments",
    label="Segments",
    models=(),
    describe=describe,
    parts=(
        ErasePart(
            "Segments that name them",
            _take_out,
            outcome="made anonymous",
            why="name, description and conditions say “(erased person)” instead, which finds nobody",
            is_search=True,
        ),
    ),
)
