"""E-mail addresses that visitors gave and nobody proved: kept beside the visitor, and good for nothing else."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer, Identifier
from signals_app.customers.services import tombstones
from signals_app.storefront.models import EmailClaim


def keep_claim(*, visitor: Identifier, email: str, now: datetime) -> bool:
    """
    Note that a visitor gave an address without proof, and return whether that was noted.

    Of somebody who is known it is not: what a stranger's page says must not show on a known profile. Of an erased
    person it is not either. A visitor has one claim; the last one stands.
    """
    customer = visitor.customer
    if customer.email or customer.external_id:
        return False
    if tombstones.erased_among(project=customer.project, keys={Key(IdentifierKind.EMAIL, email)}):
        return False
    claim = EmailClaim(project_id=visitor.project_id, identifier=visitor, email=email, claimed_at=now)
    EmailClaim.objects.bulk_create(
        [claim], update_conflicts=True, unique_fields=["identifier"], update_fields=["email", "claimed_at"]
    )
    return True


def forget_claims(*, customer: Customer) -> None:
    """Forget what somebody claimed who is known by now."""
    EmailClaim.objects.filter(identifier__customer=customer).delete()


def claims_of(customer: Customer) -> QuerySet[EmailClaim]:
    """Return what a customer's visitors claimed, the newest first."""
    return EmailClaim.objects.filter(identifier__customer=customer).order_by("-claimed_at", "-pk")
