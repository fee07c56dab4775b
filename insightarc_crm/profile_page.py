"""The page of one shopper, composed of what every room knows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from insightarc_crm.setup_checklist import page
from signals_app.catalog.models import Product
from signals_app.core.display import is_web_address
from signals_app.customers import services as customer_services
from signals_app.customers.constants import KINDS_BY_STRENGTH, Evidence, Topic
from signals_app.customers.facets import TimelineEntry
from signals_app.customers.models import Consent, Customer, IdentityConflict, IdentityEdge
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.models import IntentProfile, Interest

INTERESTS_ON_PAGE = 12
TIMELINE_PAGE = 50


@dataclass(frozen=True)
class KnownId:
    kind: str
    value: str
    since: datetime
    evidence: str
    """How we know that it is this shopper's, in words."""


@dataclass(frozen=True)
class InterestRow:
    label: str
    kind: str
    share: float
    """0 to 100, relative to the strongest."""
    seen: int
    product: Product | None
    picture: str
    price: str
    link: str
    evidence_link: str
    """The page with the signals that showed it."""


def build(*, customer: Customer, before: datetime | None, limit: int = TIMELINE_PAGE) -> dict[str, Any]:
    """Return the profile page's context; `before` is where an older page of the timeline begins."""
    entries = customer_services.timeline(customer=customer, before=before, limit=limit)
    consent = customer_services.has_consent(customer=customer)
    return {
        "customer": customer,
        "known_ids": known_ids(customer),
        "intent": IntentProfile.objects.filter(customer=customer).first(),
        "contributions": contributions(customer),
        "interests": interests(customer),
        "may_mail": consent,
        "consents": consents(customer),
        "conflicts": conflicts(customer),
        "timeline": [with_link(entry) for entry in entries],
        "older": entries[-1].at.isoformat() if entries and before_is_worth_asking(entries, limit) else "",
        "before": before,
        "automations": RemarketingRule.objects.filter(project=customer.project_id, status=RuleStatus.ACTIVE)[:20],
    }


def before_is_worth_asking(entries: list[TimelineEntry], limit: int) -> bool:
    # A page is a little shorter than the limit when entries of one instant were kept together.
    return len(entries) > limit // 2


def known_ids(customer: Customer) -> list[KnownId]:
    identifiers = sorted(
        customer.identifiers.all()[:100], key=lambda each: (KINDS_BY_STRENGTH.index(each.kind), each.created_at)
    )
    pks = [identifier.pk for identifier in identifiers]
    found: dict[int, set[str]] = defaultdict(set)
    edges = IdentityEdge.objects.filter(Q(left__in=pks) | Q(right__in=pks))
    for left, right, evidence in edges.values_list("left_id", "right_id", "evidence")[:1_000]:
        word = str(dict(Evidence.choices).get(evidence, evidence)).lower()
        found[left].add(word)
        found[right].add(word)
    return [
        KnownId(
            kind=identifier.get_kind_display(),
            value=identifier.value,
            since=identifier.created_at,
            evidence=f"Tied to the others: {', '.join(sorted(found[identifier.pk]))}" if found[identifier.pk] else "",
        )
        for identifier in identifiers
    ]


def contributions(customer: Customer) -> list[dict[str, Any]]:
    profile = IntentProfile.objects.filter(customer=customer).first()
    rows = [row for row in (profile.contributions if profile else []) if isinstance(row, dict)]
    highest = max((abs(float(row.get("points", 0))) for row in rows), default=0) or 1
    return [
        {
            "name": row.get("name", ""),
            "detail": row.get("detail", ""),
            "points": float(row.get("points", 0)),
            "share": 100 * abs(float(row.get("points", 0))) / highest,
            "tone": "bad" if float(row.get("points", 0)) < 0 else "",
        }
        for row in rows
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
        now = product.sale_price if product.sale_price is not None else product.price
        price = f"{now:,.2f} {product.currency}".strip()
    picture = product.image_url if product and is_web_address(product.image_url) else ""
    return InterestRow(
        label=product.title if product else row.name,
        kind=row.get_kind_display(),
        # All weights decay alike, so their ratio now is that of the stored logarithms.
        share=100 * 2 ** max(-20.0, min(0.0, row.weight_log2 - strongest)),
        seen=row.evidence_count,
        product=product,
        picture=picture,
        price=price,
        link=page("catalog_product", "change", product.pk) if product else "",
        evidence_link=page("shopper_signals_interest", "change", row.pk),
    )


def consents(customer: Customer) -> list[Consent]:
    found = Consent.objects.filter(identifier__customer=customer).select_related("identifier")
    return sorted(found[:100], key=lambda each: (Topic.values.index(each.topic), each.identifier_id))


def conflicts(customer: Customer) -> list[IdentityConflict]:
    mine = Q(left__customer=customer) | Q(right__customer=customer)
    return list(IdentityConflict.objects.filter(mine, state="OPEN").select_related("left", "right")[:20])


LINKS = {
    "signal": "shopper_signals_shoppersignal",
    "automation": "remarketing_rulematch",
    "email": "emails_emailmessage",
    "order": "customers_order",
}
ICONS = {
    "signal": "sensors",
    "automation": "bolt",
    "email": "mail",
    "order": "shopping_bag",
    "consent": "how_to_reg",
    "conflict": "join",
    "identifier": "fingerprint",
}


def with_link(entry: TimelineEntry) -> dict[str, Any]:
    """Add where an entry leads: rooms know their rows, only the admin knows its pages."""
    link = entry.link if entry.link.startswith("/") and not entry.link.startswith("//") else ""
    if not link and entry.reference and entry.kind in LINKS:
        link = page(LINKS[entry.kind], "change", entry.reference)
    return {"entry": entry, "link": link, "icon": ICONS.get(entry.kind, "circle")}
