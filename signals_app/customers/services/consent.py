"""What shoppers allow, now and before."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from signals_app.customers.constants import Channel, Evidence, OrderState, Topic
from signals_app.customers.exceptions import InvalidValue
from signals_app.customers.identifiers import normalise_all
from signals_app.customers.joining import Key
from signals_app.customers.models import Consent, ConsentChange, Customer, Order
from signals_app.customers.services import tombstones
from signals_app.customers.services.resolution import resolve_one
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project


@dataclass(frozen=True)
class ConsentAnswer:
    granted: bool
    detail: str
    """Why, in words a marketer can read: "granted 2026-11-02 (newsletter form)"."""


@transaction.atomic
def record_consent(
    *,
    project: Project,
    identifiers: dict[str, Any],
    channel: str = Channel.EMAIL,
    topic: str = Topic.MARKETING,
    granted: bool,
    source: str,
    wording: str = "",
    occurred_at: datetime | None = None,
    now: datetime,
) -> Customer:
    """
    Record what a shopper said about one purpose, and make it what holds unless something later was said.

    It is written on the strongest identifier given and on every other of the customer that already holds an answer
    for the purpose: a yes (or no) to the one is a yes (or no) of the person. Granting again after an erasure brings
    the person back.

    :raises InvalidInput: naming the value that cannot be used.
    """
    if channel not in Channel.values:
        raise InvalidValue("channel", f"Use one of: {', '.join(Channel.values)}.")
    if topic not in Topic.values:
        raise InvalidValue("topic", f"Use one of: {', '.join(Topic.values)}.")
    at = min(occurred_at or now, now)
    if granted:
        keys = [Key(kind, value) for kind, value in normalise_all(identifiers).items()]
        tombstones.lift(project=project, keys=keys, erased_before=at)
    resolution = resolve_one(project=project, identifiers=identifiers, evidence=Evidence.IDENTIFY, now=now)
    identifier = resolution.identifiers[""]
    said = {"channel": channel, "topic": topic}
    answer = {"is_granted": granted, "source": source[:100], "wording": wording, "occurred_at": at}
    ConsentChange.objects.create(identifier=identifier, recorded_at=now, **said, **answer)
    Consent.objects.bulk_create([Consent(identifier=identifier, **said, **answer)], ignore_conflicts=True)
    Consent.objects.filter(identifier__customer_id=identifier.customer_id, occurred_at__lte=at, **said).update(**answer)
    fact_services.record(project=project, kind=FactKind.CONSENT_CHANGED, subject_ids=[str(identifier.customer_id)])
    return identifier.customer


def has_consent(*, customer: Customer, channel: str = Channel.EMAIL, topic: str = Topic.MARKETING) -> ConsentAnswer:
    """
    Say whether a purpose is allowed for this customer.

    Where identifiers disagree (two profiles that were joined), the no counts. Where none says anything, only the
    store's soft opt-in for people who have ordered allows it, and only for marketing.
    """
    answers = Consent.objects.filter(identifier__customer=customer, channel=channel, topic=topic)
    latest = answers.order_by("is_granted", "-occurred_at").first()
    if latest is not None:
        word = "granted" if latest.is_granted else "denied"
        return ConsentAnswer(latest.is_granted, f"{word} {latest.occurred_at:%Y-%m-%d} ({latest.source})")
    if topic == Topic.MARKETING and customer.project.allows_soft_opt_in:
        has_ordered = Order.objects.filter(identifier__customer=customer).exclude(state=OrderState.CANCELLED).exists()
        return ConsentAnswer(has_ordered, "soft opt-in: has ordered" if has_ordered else "never asked, never ordered")
    return ConsentAnswer(False, "never asked")


def consents_of(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, bool]]:
    """Return what each customer said by purpose, `{"email.marketing": True}`; where identifiers disagree, the no."""
    found: dict[uuid.UUID, dict[str, bool]] = defaultdict(dict)
    rows = Consent.objects.filter(identifier__customer_id__in=customer_ids)
    for pk, channel, topic, is_granted in rows.values_list("identifier__customer_id", "channel", "topic", "is_granted"):
        purpose = f"{channel}.{topic}"
        found[pk][purpose] = found[pk].get(purpose, True) and is_granted
    return {pk: found.get(pk, {}) for pk in customer_ids}
