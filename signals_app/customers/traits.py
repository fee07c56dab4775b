"""What of a profile matters when somebody decides whether two of them are one person's."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime

from django.db.models import Count, Sum
from django.utils import timezone

from signals_app.customers.constants import IdentifierKind, OrderState, Topic
from signals_app.customers.facets import Trait
from signals_app.customers.models import Consent, Customer, Identifier, Order

KNOWN_IDS = "Known IDs"


def describe(customer: Customer, now: datetime) -> list[Trait]:
    return [
        Trait("Name", customer.name or "–"),
        Trait("E-mail", customer.email or "–"),
        Trait("Customer ID", customer.external_id or "–"),
        Trait("Time zone", customer.time_zone or "–"),
        Trait(KNOWN_IDS, _known_ids(customer.pk)),
        *_consents(customer.pk),
        Trait("Orders", _orders(customer.pk)),
        Trait("Last seen", moment(customer.last_seen_at)),
    ]


def moment(at: datetime | None) -> str:
    """Return a moment on the store's clock as people read it."""
    return "–" if at is None else f"{timezone.localtime(at):%-d %b %Y, %H:%M}"


def _known_ids(customer_id: uuid.UUID) -> str:
    counts = Counter(Identifier.objects.filter(customer=customer_id).values_list("kind", flat=True))
    words = [f"{counts[kind]} × {kind.label}" for kind in IdentifierKind if counts[kind]]
    return ", ".join(words) or "–"


def _consents(customer_id: uuid.UUID) -> list[Trait]:
    """Say of each purpose what holds: where the known IDs disagree, the no."""
    answers: dict[str, Consent] = {}
    rows = Consent.objects.filter(identifier__customer=customer_id).order_by("is_granted", "-occurred_at")
    for consent in rows:
        answers.setdefault(consent.topic, consent)
    return [
        Trait(topic.label, _answer(answers.get(topic))) for topic in Topic if topic == "marketing" or topic in answers
    ]


def _answer(consent: Consent | None) -> str:
    if consent is None:
        return "Never asked"
    at = timezone.localtime(consent.occurred_at)
    return f"{'Granted' if consent.is_granted else 'Denied'} {at:%-d %b %Y} ({consent.source})"


def _orders(customer_id: uuid.UUID) -> str:
    rows = Order.objects.filter(identifier__customer=customer_id).exclude(state=OrderState.CANCELLED).order_by()
    sums = rows.values("currency").annotate(count=Count("pk"), total=Sum("total")).order_by("currency")
    return ", ".join(f"{row['count']}: {row['total']:,.2f} {row['currency']}" for row in sums) or "None"
