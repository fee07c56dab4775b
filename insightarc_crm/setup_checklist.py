"""What a store needs before its first mail, each step with the rows that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from insightarc_crm.navigation import page
from signals_app.catalog.models import Product, ProductFeed
from signals_app.core.numbers import percent
from signals_app.customers.constants import KNOWN_KINDS, Channel, Topic
from signals_app.customers.models import Consent
from signals_app.emails import delivery
from signals_app.emails.models import SenderIdentity
from signals_app.projects.models import Project
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks.constants import DeliveryVerdict
from signals_app.webhooks.models import WebhookDelivery, WebhookSource

COVERAGE_DAYS = 7
COVERAGE_SAMPLE = 2_000
"""Signals looked at for the share with an identity: enough for a percentage, cheap at any volume."""
GOOD_COVERAGE = 0.2


@dataclass(frozen=True)
class Step:
    title: str
    is_done: bool
    proof: str
    """What was found, or what is missing, in one sentence."""
    link: str
    link_text: str


def steps(*, project: Project, now: datetime) -> list[Step]:
    """Return the steps in the order in which a shop takes them."""
    return [
        _connection(project),
        _identity(project, now),
        _products(project),
        _consent(project),
        _sender(project),
        _automation(project),
    ]


def in_store_time(moment: datetime, project: Project) -> str:
    return f"{moment.astimezone(ZoneInfo(project.time_zone)):%d %B %Y, %H:%M}"


def _connection(project: Project) -> Step:
    sources = list(WebhookSource.objects.of_insightarc().filter(project=project))
    signed = WebhookDelivery.objects.filter(source__in=sources).exclude(verdict=DeliveryVerdict.MALFORMED)
    firsts = [signed.filter(source=source).order_by("received_at", "id").first() for source in sources]
    first = min((delivery.received_at for delivery in firsts if delivery), default=None)
    if first is not None:
        proof = f"First signed signal: {in_store_time(first, project)}."
    elif not sources:
        proof = "There is no connection yet."
    elif not any(source.secrets.exists() for source in sources):
        proof = "The webhook secret of Insightarc has not been pasted yet."
    else:
        proof = "Ready; no signed signal has come yet."
    link = page("webhooks_webhooksource", "change", sources[0].pk) if sources else page("webhooks_webhooksource")
    return Step("Connect Insightarc", first is not None, proof, link, "Connection")


def _identity(project: Project, now: datetime) -> Step:
    share, sample = identity_coverage(project=project, now=now)
    if sample == 0:
        proof = f"No signals in the last {COVERAGE_DAYS} days to look at."
    else:
        proof = f"{percent(share)} of the last {sample:,} signals carry an e-mail or customer ID."
        if share < GOOD_COVERAGE:
            proof += " Only shoppers with one can get a mail: the coverage page says what to do."
    source = WebhookSource.objects.of_insightarc().filter(project=project).first()
    link = page("webhooks_webhooksource", "coverage", source.pk) if source else page("webhooks_webhooksource")
    return Step("Know the shopper", sample > 0 and share >= GOOD_COVERAGE, proof, link, "Identity coverage")


def identity_coverage(*, project: Project, now: datetime) -> tuple[float, int]:
    """Return the share of the latest signals that carry an e-mail or customer ID, and how many were looked at."""
    latest = ShopperSignal.objects.filter(project=project, received_at__gte=now - timedelta(days=COVERAGE_DAYS))
    kinds = list(latest.order_by("-received_at", "-id").values_list("identifier__kind", flat=True)[:COVERAGE_SAMPLE])
    return (sum(kind in KNOWN_KINDS for kind in kinds) / len(kinds) if kinds else 0.0), len(kinds)


def _products(project: Project) -> Step:
    has_products = Product.objects.filter(project=project, is_active=True).exists()
    feed = ProductFeed.objects.filter(project=project).order_by("-imported_at").first()
    if has_products and feed and feed.imported_at:
        proof = f"{feed.product_count:,} products, read {in_store_time(feed.imported_at, project)}."
    elif has_products:
        proof = "Products are there."
    elif feed:
        proof = "The feed has not brought any product yet."
    else:
        proof = "Without a product feed, mails have no pictures and prices."
    return Step("Add your products", has_products, proof, page("catalog_productfeed"), "Feeds")


def _consent(project: Project) -> Step:
    granted = Consent.objects.filter(
        identifier__project=project, channel=Channel.EMAIL, topic=Topic.MARKETING, is_granted=True
    ).exists()
    if granted:
        proof = "Consents are on record."
    elif project.soft_opt_in_countries:
        proof = "No consent on record, but soft opt-in lets you mail people who have ordered."
    else:
        proof = "No shopper has given consent yet. Import a list, or send consents through the API; a mail leaves only with one."
    is_done = granted or bool(project.soft_opt_in_countries)
    link, text = (page("transfers_importrun"), "Imports") if not granted else (page("customers_customer"), "Profiles")
    return Step("Bring consents", is_done, proof, link, text)


def _sender(project: Project) -> Step:
    sender = SenderIdentity.objects.filter(project=project).first()
    is_local = delivery.is_local()
    if sender is None:
        proof = "No marketing mail leaves without a sender and a postal address."
    elif sender.is_placeholder:
        proof = f"{sender.from_email} is made up; enter your own before you use a real mail service."
    else:
        proof = f"Mails come from {sender.from_email}."
    if sender is not None and is_local:
        proof += " Mails are captured here, none leaves this server."
    is_done = sender is not None and (is_local or not sender.is_placeholder)
    return Step("Say who writes", is_done, proof, page("emails_senderidentity"), "Sender")


def _automation(project: Project) -> Step:
    active = RemarketingRule.objects.filter(project=project, status=RuleStatus.ACTIVE)
    names = list(active.values_list("name", flat=True)[:3])
    count = active.count()
    if names:
        proof = f"{count} active: {', '.join(names)}{' …' if count > len(names) else ''}."
    else:
        proof = "No automation is active, so nobody gets a mail."
    return Step("Start an automation", bool(names), proof, page("remarketing_remarketingrule"), "Automations")
