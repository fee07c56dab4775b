"""A store with one row of everything, full of what hostile shoppers and careless shops send."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone

from signals_app.audit.models import AuditEntry
from signals_app.catalog.models import Coupon, PageAlias, Product, ProductFeed, UrlPatterns
from signals_app.customers.models import (
    Consent,
    ConsentChange,
    Customer,
    ErasureReport,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    Order,
)
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail, SenderIdentity, Suppression
from signals_app.projects.constants import Role
from signals_app.projects.models import ApiKey, Membership, Project
from signals_app.remarketing.models import Calibration, RemarketingRule, RuleMatch, RuleVariant, SendPolicy
from signals_app.segments.models import Segment
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.models import IntentProfile, Interest, RecomputeRun, ShopperSignal
from signals_app.shops.models import PrivacyRequest, ShopConnection, ShopDifference, ShopSync, ShopTopic
from signals_app.storefront.models import EmailClaim, Storefront
from signals_app.transfers.models import ExportFile, ImportProblem, ImportRun
from signals_app.webhooks.models import (
    HourlyCount,
    HourlyCoverage,
    InboxItem,
    ReplayRun,
    SignatureFailure,
    WebhookDelivery,
    WebhookSecret,
    WebhookSource,
)

HOSTILE = "<script>alert(1)</script>\"'>{{ 7|add:7 }}{% now 'Y' %}=cmd|'/C calc'!A0\u202e\r\n"
EVENTS: list[Any] = [
    {"name": HOSTILE},
    {"name": "javascript:alert(1)"},
    {"name": "data:text/html,<script>alert(1)</script>"},
    {"name": "//evil.example/products/x"},
    {"name": "http://[::1"},
    {"name": "/products/" + "x" * 2_000},
    {"name": "https://shop.example.com/products/lamp?a=<img src=x onerror=alert(1)>"},
]


def furnish(project: Project, tag: str) -> dict[str, models.Model]:
    """Return one row of each model of the admin, by its label; `tag` stands in every text a list could show."""
    rows: dict[str, models.Model] = {"projects.Project": project}
    for part in (_access, _shop, _shoppers, _insightarc, _shopify, _marketing, _transfers):
        part(project, tag, rows)
    return rows


def _access(project: Project, tag: str, rows: dict[str, Any]) -> None:
    rows["audit.AuditEntry"] = AuditEntry.objects.create(
        project=project, actor=f"{tag}@example.com", action="CHANGED", model="projects.project",
        object_id=str(project.pk), object_name=f"{tag} {HOSTILE}", detail=f"{tag} {HOSTILE}",
    )  # fmt: skip
    rows["customers.ErasureReport"] = ErasureReport.objects.create(
        project=project, profile_id=uuid.uuid4(), requested_by=f"{tag} {HOSTILE}", begun_at=timezone.now(),
        state="DONE", results=[{"room": HOSTILE, "what": HOSTILE, "outcome": "kept", "count": None, "why": HOSTILE}],
    )  # fmt: skip
    user = get_user_model().objects.create_user(f"{tag}@example.com", f"{tag}@example.com", is_staff=True)
    rows["projects.Membership"] = Membership.objects.create(project=project, user=user, role=Role.ANALYST)
    rows["projects.ApiKey"] = ApiKey.objects.create(
        project=project, name=f"{tag} {HOSTILE}", prefix=tag[:16], key_sha256="0" * 64, scopes=["read"]
    )


def _shop(project: Project, tag: str, rows: dict[str, Any]) -> None:
    rows["catalog.ProductFeed"] = feed = ProductFeed.objects.create(
        project=project,
        name=f"{tag} {HOSTILE}"[:100],
        url="https://shop.example.com/feed.xml",
        row_errors=[{"row": 3, "field": HOSTILE, "error": HOSTILE}, {}],
    )
    rows["catalog.Product"] = Product.objects.create(
        project=project,
        feed=feed,
        sku=tag,
        title=f"{tag} {HOSTILE}",
        description=HOSTILE,
        url="javascript:alert(1)",
        url_key="/products/lamp",
        image_url='https://shop.example.com/"><script>alert(1)</script>.png',
        price=Decimal("59.90"),
        sale_price=Decimal("49.90"),
        currency="EUR",
        category=HOSTILE,
        brand=HOSTILE,
        first_seen_at=timezone.now(),
    )
    rows["catalog.UrlPatterns"] = UrlPatterns.objects.create(
        project=project, version=1, patterns=[{"kind": "product", "pattern": f"/{tag}/<script>alert(1)/{{slug}}"}]
    )
    rows["catalog.PageAlias"] = PageAlias.objects.create(project=project, pattern=f"/{tag} {HOSTILE}"[:300])
    rows["catalog.Coupon"] = Coupon.objects.create(project=project, pool=f"{tag} pool", code=f"{tag} CODE")


def _shoppers(project: Project, tag: str, rows: dict[str, Any]) -> None:
    now = timezone.now()
    rows["customers.Customer"] = customer = Customer.objects.create(
        project=project, name=f"{tag} {HOSTILE}", email=f"{tag}@shopper.example", last_seen_at=now
    )
    other = Customer.objects.create(project=project, name=f"{tag} other")
    email = Identifier.objects.create(project=project, customer=customer, kind="email", value=customer.email)
    visitor = Identifier.objects.create(
        project=project, customer=customer, kind="anonymous_id", value=f"{tag} {HOSTILE}"
    )
    second = Identifier.objects.create(project=project, customer=other, kind="external_id", value=f"{tag} second")
    EmailClaim.objects.create(project=project, identifier=visitor, email=HOSTILE, claimed_at=now)
    IdentityEdge.objects.create(project=project, left=email, right=visitor, evidence="SIGNAL", reference=HOSTILE)
    rows["customers.IdentityConflict"] = IdentityConflict.objects.create(
        project=project, left=email, right=second, evidence="SIGNAL", reference=HOSTILE[:100]
    )
    said = {"source": HOSTILE[:100], "wording": HOSTILE, "occurred_at": now, "is_granted": True}
    Consent.objects.create(identifier=email, **said)
    ConsentChange.objects.create(identifier=email, **said)
    rows["customers.Order"] = Order.objects.create(
        project=project,
        identifier=email,
        order_id=f"{tag} {HOSTILE}",
        total=Decimal("129.90"),
        currency="EUR",
        items=[{"title": HOSTILE, "quantity": HOSTILE, "price": HOSTILE}, HOSTILE, None],
        placed_at=now,
    )
    IntentProfile.objects.create(
        customer=customer,
        project=project,
        intent_score=88.8,
        stage="leaving_with_intent",
        signal_count=3,
        last_signal_at=now,
        scored_at=now,
        events_log2=decay.hours(now) / 72 + 3,
    )
    for kind, name in (("product", "/products/lamp"), ("search", f"{tag} {HOSTILE}")):
        rows["shopper_signals.Interest"] = Interest.objects.create(
            customer=customer, kind=kind, name=name, weight_log2=200, evidence_count=1, last_seen_at=now
        )

    rows["shopper_signals.RecomputeRun"] = RecomputeRun.objects.create(
        project=project, expected=3, started_by=f"{tag} {HOSTILE}", started_at=now, due_at=now
    )


def _insightarc(project: Project, tag: str, rows: dict[str, Any]) -> None:
    now = timezone.now()
    rows["webhooks.WebhookSource"] = source = WebhookSource.objects.create(
        project=project, name=f"{tag} {HOSTILE}", registered_urls=["https://crm.example.com/webhooks/x/", HOSTILE]
    )
    WebhookSecret.objects.create(source=source, secret=f"{tag}-very-secret")
    HourlyCoverage.objects.create(source=source, hour=now, signals=3, identified=2, sampled=1, email=1)
    rows["storefront.Storefront"] = Storefront.objects.create(
        project=project,
        public_key=f"pk_{tag}",
        allowed_origins=[f"https://{tag}.example.com", HOSTILE],
        consent_check=HOSTILE,
        visitor_cookie=HOSTILE[:100],
        proof_secret=f"{tag}-very-secret",
    )
    HourlyCount.objects.create(source=source, hour=now, outcome="BAD_SIGNATURE", count=3)
    SignatureFailure.objects.create(
        source=source,
        reason="BAD_SIGNATURE",
        body=HOSTILE.encode(),
        signature=HOSTILE,
        requested_url=HOSTILE,
        diagnosed_at=now,
        diagnosis="SLASH",
        differences=["SLASH", "LOW_BYTE"],
        signed_url=f"https://crm.example.com/{HOSTILE}",
        known_url=HOSTILE,
    )
    good = json.dumps({"drop_proba": 0.9, "relevant_events": EVENTS, tag: HOSTILE}).encode()
    rows["webhooks.WebhookDelivery"] = delivery = _delivery(source, good, "ACCEPTED")
    broken = _delivery(source, b"\xff\x00<script>alert(1)</script>" + tag.encode(), "MALFORMED")
    rows["webhooks.InboxItem"] = InboxItem.objects.create(
        delivery=broken, source=source, state="QUARANTINED", error=f"{tag} {HOSTILE}"
    )
    rows["webhooks.ReplayRun"] = ReplayRun.objects.create(
        source=source,
        scope="NEEDS_FIXING",
        problem="GAVE_UP",
        error_text=f"{tag} {HOSTILE}",
        received_until=now,
        expected=1,
        started_by=f"{tag} {HOSTILE}",
        started_at=now,
    )
    rows["shopper_signals.ShopperSignal"] = ShopperSignal.objects.create(
        id=delivery.pk,
        project=project,
        identifier=Identifier.objects.get(project=project, kind="email"),
        received_at=now - timedelta(minutes=5),
        drop_proba=0.97,
        num_events=2**62,
        num_loops=3,
        avg_loops=1e308,
        relevant_events=EVENTS,
        extra={HOSTILE: [HOSTILE, {"deep": None}]},
        issues=[{"field": HOSTILE, "problem": HOSTILE}, {}],
    )


def _shopify(project: Project, tag: str, rows: dict[str, Any]) -> None:
    now = timezone.now()
    shop = ShopConnection.objects.create(project=project, domain=f"{tag}.myshopify.com", problem=f"{tag} {HOSTILE}")
    rows["shops.ShopConnection"] = shop
    source = WebhookSource.objects.create(project=project, shop=shop, name=f"{tag} shop")
    WebhookSecret.objects.create(source=source, secret=f"{tag}-shop-secret")
    ShopTopic.objects.create(shop=shop, topic=f"{tag} {HOSTILE}"[:100], last_at=now, passed_over=1, last_reason=HOSTILE)
    ShopSync.objects.create(
        shop=shop,
        kind="BACKFILL",
        resource="orders",
        counts={"orders": {"read": 3, "changed": 1, "left_out": 1, "expected": 9}},
        problems=[{"what": f"{tag} {HOSTILE}", "why": HOSTILE}],
        problem=HOSTILE,
        started_at=now,
        started_by=HOSTILE,
    )
    rows["shops.ShopDifference"] = ShopDifference.objects.create(
        shop=shop, order_id=f"{tag} {HOSTILE}"[:100], what=f"{tag} {HOSTILE}", found_at=now
    )
    rows["shops.PrivacyRequest"] = PrivacyRequest.objects.create(
        shop=shop,
        kind="DATA_REQUEST",
        reference=f"{tag} {HOSTILE}"[:100],
        identifier=Identifier.objects.get(project=project, kind="email"),
        received_at=now,
        due_at=now,
        note=HOSTILE,
    )


def _delivery(source: WebhookSource, body: bytes, verdict: str) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        source=source, verdict=verdict, body=body, body_sha256=hashlib.sha256(body).digest(), content_type="x" * 100
    )


def _marketing(project: Project, tag: str, rows: dict[str, Any]) -> None:
    now = timezone.now()
    rows["segments.Segment"] = Segment.objects.create(project=project, name=f"{tag} <b>segment", conditions={})
    rows["emails.SenderIdentity"] = SenderIdentity.objects.create(
        project=project, from_name=tag, from_email=f"{tag}@sender.example", postal_address="Bergweg 1"
    )
    rows["emails.EmailTemplate"] = template = EmailTemplate.objects.create(
        project=project,
        name=f"{tag} template",
        subject="Hello",
        mjml="<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>",
        compiled_html="<p>Hi</p>",
    )
    identifier = Identifier.objects.get(project=project, kind="email")
    rows["emails.EmailMessage"] = message = EmailMessage.objects.create(
        project=project,
        identifier=identifier,
        template=template,
        purpose="REMARKETING",
        send_key=f"{tag}-1",
        state="sent",
        reason=HOSTILE[:60],
        detail=HOSTILE,
        due_at=now,
        sending_at=now,
        to_email=f"{tag}@shopper.example",
        subject=f"{tag} {HOSTILE}",
        html="<p>Hi</p><script>parent.alert(1)</script>",
        text=HOSTILE,
    )
    rows["emails.MailboxMail"] = MailboxMail.objects.create(
        project=project,
        message=message,
        send_key=f"{tag}-1",
        to_email=f"{tag}@shopper.example",
        from_email=f"{tag}@sender.example",
        subject=f"{tag} {HOSTILE}",
        headers={"X-Hostile": HOSTILE},
        html="<p>Hi</p>",
        text=HOSTILE,
    )
    rows["emails.Suppression"] = Suppression.objects.create(
        project=project, email=f"{tag}@gone.example", reason="unsubscribed", source=HOSTILE[:100]
    )
    rows["remarketing.Calibration"] = Calibration.objects.create(
        project=project,
        week=date(2026, 11, 2),
        window_days=7,
        state="DONE",
        exit_bins=[[40, 30, 20.0, 9.0]] * 10,
        intent_bins=[[40, 10, 20.0, 9.0]] * 10,
    )
    rows["remarketing.SendPolicy"] = SendPolicy.objects.create(project=project)
    rows["remarketing.RemarketingRule"] = rule = RemarketingRule.objects.create(
        project=project, name=f"{tag} <b>rule", status="ACTIVE"
    )
    variant = RuleVariant.objects.create(rule=rule, template=template, name=tag[:60])
    rows["remarketing.RuleMatch"] = RuleMatch.objects.create(
        project=project,
        rule=rule,
        rule_version=1,
        identifier=identifier,
        entry_key=f"{tag}-1",
        state="skipped",
        reason="SKIPPED_NO_CONSENT",
        variant=variant,
        triggered_at=now,
        due_at=now,
        decided_at=now,
        values={"drop_proba": 0.97, HOSTILE: HOSTILE},
        gates=[{"gate": "consent", "passed": False, "detail": HOSTILE}],
    )


def _transfers(project: Project, tag: str, rows: dict[str, Any]) -> None:
    rows["transfers.ImportRun"] = run = ImportRun.objects.create(
        project=project,
        kind="consents",
        state="CHECKED",
        file_name=f"{tag} {HOSTILE}"[:150],
        columns=["email", f"attribute:{HOSTILE}"],
        options={"source": HOSTILE, HOSTILE: HOSTILE},
        failed_count=20_000,
        requested_by=HOSTILE,
    )
    ImportProblem.objects.create(run=run, row_number=2, column=HOSTILE[:100], message=HOSTILE)
    rows["transfers.ExportFile"] = ExportFile.objects.create(
        project=project, kind="segment", parameters={"segment": HOSTILE}, requested_by=f"{tag} {HOSTILE}",
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
