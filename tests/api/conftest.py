from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from signals_app.customers import services as customer_services
from signals_app.emails.models import EmailMessage, EmailTemplate, Suppression
from signals_app.projects.models import Project
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import ShopperSignal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA = {"external_id": "ada", "email": "ada@example.com"}


@pytest.fixture
def fill_store(db: None) -> Callable[[Project], Project]:
    """Fill a store with one row of everything that the API shows."""
    return make_store


def make_store(project: Project) -> Project:
    identifier = customer_services.identify(project=project, identifiers=ADA, now=NOW).identifier
    customer_services.record_order(
        project=project,
        identifiers=ADA,
        order_id="R-1",
        total=Decimal(1),
        currency="EUR",
        placed_at=NOW,
        now=NOW,
    )
    ShopperSignal.objects.create(
        project=project, identifier=identifier, received_at=NOW, relevant_events=[{"name": "/cart"}]
    )
    template = EmailTemplate.objects.create(project=project, name="T", subject="S", mjml="<mjml></mjml>")
    message = EmailMessage.objects.create(
        project=project, identifier=identifier, template=template, purpose="REMARKETING", send_key="k", due_at=NOW
    )
    rule = RemarketingRule.objects.create(project=project, name="R")
    RuleMatch.objects.create(
        project=project,
        rule=rule,
        rule_version=1,
        identifier=identifier,
        entry_key="e",
        message=message,
        triggered_at=NOW,
        due_at=NOW,
    )
    Segment.objects.create(project=project, name="Everyone")
    Suppression.objects.create(project=project, email="other@example.com", reason="manual")
    return project
