"""What this room knows about a person: addresses that they, or somebody in their name, gave without proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from signals_app.customers import newest
from signals_app.customers.facets import ErasePart, Excerpt, ExportTable, Facet, Subject, TimelineEntry, deleting
from signals_app.customers.models import Customer
from signals_app.storefront import services
from signals_app.storefront.models import EmailClaim


def timeline(customer: Customer, excerpt: Excerpt) -> list[TimelineEntry]:
    claims = newest.ordered(services.claims_of(customer), excerpt, kind="claim", at="claimed_at")
    return [
        TimelineEntry(
            at=claim.claimed_at,
            kind="claim",
            title="Gave an e-mail address, without proof",
            detail=f"{claim.email}. Nothing is sent to it and no other profile is tied to it.",
            tone="warn",
            reference=str(claim.pk),
        )
        for claim in claims
    ]


def _claims(customer: Customer) -> Iterator[dict[str, Any]]:
    for claim in services.claims_of(customer):
        yield {"email": claim.email, "claimed_at": claim.claimed_at.isoformat()}


def _erased(subject: Subject) -> QuerySet[EmailClaim]:
    """Return what the person's browsers claimed, and the person's addresses wherever else somebody gave them."""
    theirs = services.claims_of(subject.customer).order_by().values("pk")
    return EmailClaim.objects.filter(Q(pk__in=theirs) | Q(project=subject.customer.project, email__in=subject.emails))


FACET = Facet(
    name="storefront",
    label="Identity kit",
    models=(EmailClaim,),
    timeline=timeline,
    kinds={"claim": "Known IDs"},
    tables=(
        ExportTable(
            "unproven_emails",
            "Addresses that somebody gave as yours",
            _claims,
            {"email": "Address", "claimed_at": "When"},
        ),
    ),
    parts=(ErasePart("E-mail addresses given without proof", deleting(_erased)),),
)
