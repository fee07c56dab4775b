from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier
from signals_app.emails import gallery as email_gallery
from signals_app.emails.models import EmailTemplate, SenderIdentity
from signals_app.projects.models import Project
from signals_app.remarketing import gallery
from signals_app.remarketing.models import RemarketingRule

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
"""Noon in Berlin, where the store is."""


@pytest.fixture(autouse=True)
def _local_mailbox(settings: Any) -> None:
    """Django's tests put a backend of their own in place of the embedded default."""
    settings.EMAIL_BACKEND = "signals_app.emails.mailbox.LocalMailboxBackend"


_compiled: dict[str, dict[str, Any]] = {}
"""The gallery's mails as they were checked and compiled for the first test: that takes longer than most tests."""


@pytest.fixture
def templates(project: Project) -> dict[str, EmailTemplate]:
    if not _compiled:
        columns = ("name", "subject", "preheader", "mjml", "compiled_html", "coupon_pool")
        for key, template in email_gallery.install(project=project, now=NOON).items():
            _compiled[key] = {column: getattr(template, column) for column in columns}
    for values in _compiled.values():
        EmailTemplate.objects.get_or_create(project=project, name=values["name"], defaults=values)
    SenderIdentity.objects.get_or_create(
        project=project,
        defaults={"from_name": project.name, "from_email": "shop@example.com", "postal_address": "1 Example Street"},
    )
    by_name = {template.name: template for template in EmailTemplate.objects.filter(project=project)}
    return {key: by_name[values["name"]] for key, values in _compiled.items()}


@pytest.fixture
def rules(project: Project, templates: dict[str, EmailTemplate]) -> dict[str, RemarketingRule]:
    """The five examples, active, with nobody in the control group."""
    installed = gallery.install(project=project, templates=templates, holdout=0)
    return {rule.name: rule for rule in installed}


@pytest.fixture
def allow_mail(project: Project) -> Callable[..., Customer]:
    """Record that a shopper agreed to be mailed, long before the test's now."""

    def allow(email: str = "anna@example.com", *, granted: bool = True, now: datetime = NOON) -> Customer:
        return customer_services.record_consent(
            project=project,
            identifiers={"email": email},
            granted=granted,
            source="newsletter form",
            occurred_at=now - timedelta(days=90),
            now=now - timedelta(days=90),
        )

    return allow


@pytest.fixture
def visit(post_signal: Callable[..., Any], example_body: Callable[..., dict[str, Any]]) -> Callable[..., datetime]:
    """Post the example body three times, a minute apart, with rising events; return when the last one came."""

    def visit(at: datetime = NOON, **changes: Any) -> datetime:
        for number in range(3):
            moment = at - timedelta(minutes=2 - number)
            body = example_body(**{"num_events": 23 + number, **changes})
            assert post_signal(body | {"visit": moment.isoformat()}, at=moment).status_code == 200
        return at

    return visit


@pytest.fixture
def shopper(project: Project) -> Callable[..., Customer]:
    """Return the profile that an identifier belongs to."""

    def find(value: str = "anna@example.com") -> Customer:
        return Identifier.objects.select_related("customer").get(project=project, value=value).customer

    return find
