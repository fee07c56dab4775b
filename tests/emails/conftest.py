from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.emails import guards
from signals_app.emails import services as email_services
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.models import EmailMessage, EmailTemplate, SenderIdentity
from signals_app.projects.models import Project
from tests.emails.examples import MJML, NOW
from tests.emails.mail_services import HttpService, SmtpService


@pytest.fixture
def sender(project: Project) -> SenderIdentity:
    return SenderIdentity.objects.create(
        project=project,
        from_name="Nordlicht",
        from_email="hello@shop.example.com",
        reply_to="service@shop.example.com",
        postal_address="Nordlicht GmbH\nHafenstrasse 1\nKiel",
    )


@pytest.fixture
def template(project: Project, sender: SenderIdentity) -> EmailTemplate:
    return email_services.save_template(
        EmailTemplate(
            project=project, name="Plain", subject="Hello {{ customer.first_name | default: 'you' }}", mjml=MJML
        )
    )


@pytest.fixture
def shopper(project: Project) -> Callable[..., Customer]:
    """Make a shopper who has agreed to get mails."""

    def make(email: str = "anna@example.com", *, granted: bool = True) -> Customer:
        return customer_services.record_consent(
            project=project, identifiers={"email": email}, granted=granted, source="checkout", now=NOW
        )

    return make


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[guards.GuardVerdict]:
    """Let every mail pass the guard, or as the test puts verdicts here."""
    given: list[guards.GuardVerdict] = []

    def guard(request: guards.GuardRequest) -> guards.GuardVerdict:
        return given.pop(0) if given else guards.GuardVerdict(guards.SEND)

    monkeypatch.setitem(guards._guards, MessagePurpose.REMARKETING, guard)
    return given


@pytest.fixture
def queue(template: EmailTemplate, verdicts: list[guards.GuardVerdict]) -> Callable[..., EmailMessage]:
    """Put a mail for a shopper into the outbox."""
    numbers = itertools.count(1)

    def queue(customer: Customer, **changes: Any) -> EmailMessage:
        values: dict[str, Any] = {
            "project": template.project,
            "identifier": customer.identifiers.order_by("kind").first(),
            "template": template,
            "purpose": MessagePurpose.REMARKETING,
            "send_key": f"test:{next(numbers)}",
            "context": {},
            "due_at": NOW,
            "now": NOW,
        }
        return email_services.queue_message(**(values | changes))

    return queue


@pytest.fixture
def smtp(settings: Any) -> Iterator[SmtpService]:
    """Send through a real SMTP connection to a server that does as it is told."""
    with SmtpService() as service:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", service.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_TIMEOUT = 1
        yield service


@pytest.fixture
def postmark(settings: Any) -> Iterator[HttpService]:
    """Send through django-anymail to an HTTP server that does as it is told."""
    with HttpService() as service:
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "token",
            "POSTMARK_API_URL": f"http://127.0.0.1:{service.port}/",
            "REQUESTS_TIMEOUT": (1, 0.5),
        }
        yield service
