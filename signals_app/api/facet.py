"""What the API remembers about a person: the answers to writes, kept for a day so that a repeat is answered alike."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from signals_app.api.models import IdempotentRequest
from signals_app.customers.facets import ErasePart, Facet, Subject, deleting


def _answers(subject: Subject) -> QuerySet[IdempotentRequest]:
    """Return the answers that name the profile, and those whose key, which the program chose, names the person."""
    named = Q(response__contains=str(subject.customer.pk))
    for email in subject.emails:
        named |= Q(key__icontains=email) | Q(response__icontains=email)
    return IdempotentRequest.objects.filter(named, project=subject.customer.project)


FACET = Facet(
    name="api",
    label="API",
    models=(IdempotentRequest,),
    parts=(ErasePart("Answers to programs, kept for repeats", deleting(_answers), is_search=True),),
)
