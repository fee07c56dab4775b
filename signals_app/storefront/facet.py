"""What this room knows about a person: addresses that they, or somebody in their name, gave without proof."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.facets import Facet, TimelineEntry
from signals_app.customers.models import Customer
from signals_app.storefront import services
from signals_app.storefront.models import EmailClaim


def timeline(customer: Customer, before: datetime | None, limit: int) -> list[TimelineEntry]:
    claims = services.claims_of(customer)
    if before is not None:
        claims = claims.filter(claimed_at__lt=before)
    return [
        TimelineEntry(
            at=claim.claimed_at,
            kind="identifier",
            title="Gave an e-mail address, without proof",
            detail=f"{claim.email}. Nothing is sent to it and no other profile is tied to it.",
            tone="warn",
        )
        for claim in claims[:limit]
    ]


def export(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    return {
        "unproven_emails": [
            {"email": claim.email, "claimed_at": claim.claimed_at.isoformat()} for claim in services.claims_of(customer)
        ]
    }


def erase(customer: Customer) -> int:
    """Delete what the person's browsers claimed, and the person's addresses wherever else somebody gave them."""
    known = customer.identifiers.filter(kind=IdentifierKind.EMAIL).values_list("value", flat=True)
    addresses = {*known, customer.email} - {""}
    count = services.forget_claims_by_email(project_id=customer.project_id, emails=addresses)
    return count + services.claims_of(customer).order_by().delete()[0]


FACET = Facet(
    name="storefront", label="Identity kit", models=(EmailClaim,), timeline=timeline, export=export, erase=erase
)
