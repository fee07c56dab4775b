"""The page of one shopper, composed of what every room knows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from insightarc_crm import profile_chart, profile_story
from insightarc_crm.navigation import page
from signals_app.catalog.models import Product
from signals_app.core.display import is_web_address, money
from signals_app.customers import services as customer_services
from signals_app.customers.constants import ConflictState, Evidence, IdentifierKind, Topic
from signals_app.customers.models import STRENGTH, Consent, Customer, IdentityConflict, IdentityEdge
from signals_app.emails import services as email_services
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.models import IntentProfile, Interest

INTERESTS_ON_PAGE = 12
IDS_ON_PAGE = 30
VISITS_COUNTED = 1_000
EDGES_READ = 1_000


@dataclass(frozen=True)
class KnownId:
    pk: int
    kind: str
    value: str
    since: datetime
    evidence: str
    """How we know that it is this shopper's, in words."""


@dataclass(frozen=True)
class Purpose:
    """What a shopper says to one purpose; `detail` says since when and where from."""

    label: str
    granted: bool
    detail: str


@dataclass(frozen=True)
class InterestRow:
    label: str
    kind: str
    share: float
    """0 to 100, relative to the strongest."""
    seen: int
    last_seen_at: datetime
    product: Product | None
    picture: str
    price: str
    link: str
    """The product's page in the admin."""
    shop_link: str
    """The product in the shop."""
    evidence_link: str
    """The page with the signals that showed it."""


def build(*, customer: Customer, asked: QueryDict, now: datetime) -> dict[str, Any]:
    """Return the profile page's context; `asked` says which part of the timeline."""
    intent = IntentProfile.objects.filter(customer=customer).first()
    purposes = consent_by_purpose(customer)
    return {
        "customer": customer,
        "known_ids": known_ids(customer),
        "visits": visits(customer),
        "intent": intent,
        "contributions": contributions(intent),
        "interests": interests(customer),
        "chart": profile_chart.build(customer) if intent else None,
        "may_mail": purposes[0],
        "purposes": purposes,
        "consents": consents(customer),
        "suppressions": email_services.suppressions_of(customer=customer),
        "conflicts": conflicts(customer),
        "automations": RemarketingRule.objects.filter(project=customer.project_id, status=RuleStatus.ACTIVE)[:20],
        **profile_story.build(customer=customer, asked=asked, now=now),
    }


def known_ids(customer: Customer) -> list[KnownId]:
    """Return what names the shopper or a browser of theirs, strongest first; visits are only counted."""
    lasting = customer.identifiers.exclude(kind=IdentifierKind.SESSION_ID).order_by(STRENGTH, "pk")
    identifiers = list(lasting[:IDS_ON_PAGE])
    pks = [identifier.pk for identifier in identifiers]
    found: dict[int, set[str]] = defaultdict(set)
    edges = IdentityEdge.objects.filter(Q(left__in=pks) | Q(right__in=pks))
    for left, right, evidence in edges.values_list("left_id", "right_id", "evidence")[:EDGES_READ]:
        word = str(dict(Evidence.choices).get(evidence, evidence)).lower()
        found[left].add(word)
        found[right].add(word)
    return [
        KnownId(
            pk=identifier.pk,
            kind=identifier.get_kind_display(),
            value=identifier.value,
            since=identifier.created_at,
            evidence=f"Tied to the others: {', '.join(sorted(found[identifier.pk]))}" if found[identifier.pk] else "",
        )
        for identifier in identifiers
    ]


def visits(customer: Customer) -> str:
    """Return how many visits left an ID of their own, in words; nothing for none."""
    sessions = customer.identifiers.filter(kind=IdentifierKind.SESSION_ID).order_by()
    count = sessions[: VISITS_COUNTED + 1].count()
    if count > VISITS_COUNTED:
        return f"More than {VISITS_COUNTED:,} visits"
    return f"{count:,} visit{'s' if count > 1 else ''}" if count else ""


def consent_by_purpose(customer: Customer) -> list[Purpose]:
    """Return what holds for each purpose, marketing first."""
    answers = [(topic.label, customer_services.has_consent(customer=customer, topic=topic)) for topic in Topic]
    return [Purpose(str(label), answer.granted, answer.detail) for label, answer in answers]


def contributions(intent: IntentProfile | None) -> list[dict[str, Any]]:
    parts = signal_services.contributions_of(intent) if intent else []
    highest = max((abs(part.points) for part in parts), default=1.0)
    return [
        part._asdict() | {"share": 100 * abs(part.points) / highest, "tone": "bad" if part.points < 0 else ""}
        for part in parts
    ]


def interests(customer: Customer) -> list[InterestRow]:
    rows = list(Interest.objects.filter(customer=customer).order_by("-weight_log2", "pk")[:INTERESTS_ON_PAGE])
    keys = [row.name for row in rows if row.kind == InterestKind.PRODUCT]
    products = {
        product.url_key: product
        for product in Product.objects.filter(project=customer.project_id, url_key__in=keys).order_by("is_active", "pk")
    }
    strongest = rows[0].weight_log2 if rows else 0.0
    return [_interest(row, products.get(row.name), strongest) for row in rows]


def _interest(row: Interest, product: Product | None, strongest: float) -> InterestRow:
    if row.kind != InterestKind.PRODUCT:
        product = None
    price = ""
    if product is not None and product.price is not None:
        price = money(product.sale_price if product.sale_price is not None else product.price, product.currency)
    return InterestRow(
        label=product.title if product else signal_services.label_of(row),
        kind=row.get_kind_display(),
        # All weights decay alike, so their ratio now is that of the stored logarithms.
        share=100 * 2 ** max(-20.0, min(0.0, row.weight_log2 - strongest)),
        seen=row.evidence_count,
        last_seen_at=row.last_seen_at,
        product=product,
        picture=product.image_url if product and is_web_address(product.image_url) else "",
        price=price,
        link=page("catalog_product", "change", product.pk) if product else "",
        shop_link=product.url if product and is_web_address(product.url) else "",
        evidence_link=page("shopper_signals_interest", "change", row.pk),
    )


def consents(customer: Customer) -> list[Consent]:
    found = Consent.objects.filter(identifier__customer=customer).select_related("identifier")
    return sorted(found[:100], key=lambda each: (Topic.values.index(each.topic), each.identifier_id))


def conflicts(customer: Customer) -> list[IdentityConflict]:
    mine = Q(left__customer=customer) | Q(right__customer=customer)
    return list(IdentityConflict.objects.filter(mine, state=ConflictState.OPEN).select_related("left", "right")[:20])
