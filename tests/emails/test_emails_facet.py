"""What a profile says about the mails to a person, and what an erasure leaves of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.mail import send_mail

from signals_app.customers import services as customer_services
from signals_app.emails import guards
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import EmailMessage, MailboxMail, Suppression
from signals_app.projects.models import Project
from tests.emails.examples import NOW

Queue = Callable[..., EmailMessage]
Shopper = Callable[..., Any]


def test_the_timeline_tells_of_mails_sent_and_skipped(
    queue: Queue, shopper: Shopper, verdicts: list[guards.GuardVerdict]
) -> None:
    anna = shopper()
    verdicts += [
        guards.GuardVerdict(guards.SEND),
        guards.GuardVerdict(guards.SKIP, "SKIPPED_FREQUENCY_LIMIT", "1 mail in 24 hours"),
    ]
    sent, skipped = queue(anna), queue(anna)
    email_services.send_due(now=NOW)

    entries = [entry for entry in customer_services.timeline(customer=anna) if entry.kind == "email"]

    assert {(entry.title, entry.detail, entry.tone, entry.reference) for entry in entries} == {
        ("E-mail sent: Hello you", "", "good", str(sent.pk)),
        ("E-mail skipped: Plain", "Frequency limit. 1 mail in 24 hours", "info", str(skipped.pk)),
    }


def test_an_export_holds_what_was_sent(queue: Queue, shopper: Shopper) -> None:
    anna = shopper()
    queue(anna)
    email_services.send_due(now=NOW)

    exported = customer_services.export_customer(customer=anna)["emails"]

    assert [mail["subject"] for mail in exported["emails"]] == ["Hello you"]
    assert "Hafenstrasse" in exported["emails"][0]["text"]


def test_an_erasure_leaves_no_mail_and_no_address_but_still_no_mail_comes(
    queue: Queue, shopper: Shopper, project: Project
) -> None:
    anna, berta = shopper(), shopper("berta@example.com")
    queue(anna)
    queue(berta)
    email_services.send_due(now=NOW)
    email_services.suppress(
        project=project, email=anna.email, reason=SuppressionReason.COMPLAINED, source="test", now=NOW
    )

    customer_services.erase_customer(customer=anna, now=NOW)

    assert [mail.to_email for mail in MailboxMail.objects.all()] == ["berta@example.com"]
    assert [message.to_email for message in EmailMessage.objects.all()] == ["berta@example.com"]
    assert "anna" not in Suppression.objects.get().email
    assert email_services.is_suppressed(project=project, email="Anna@example.com")
    assert not email_services.is_suppressed(project=project, email="berta@example.com")


def test_of_an_erased_person_only_a_hash_is_kept_whoever_stops_their_mails_afterwards(
    shopper: Shopper, project: Project
) -> None:
    customer_services.erase_customer(customer=shopper(), now=NOW)

    for _ in range(2):
        entry = email_services.suppress(
            project=project, email="Anna@example.com", reason=SuppressionReason.MANUAL, source="API", now=NOW
        )

    assert entry == Suppression.objects.get()
    assert entry.email.startswith("erased:")
    assert email_services.is_suppressed(project=project, email="anna@example.com")


def test_a_mail_of_django_itself_is_captured_each_time(db: None) -> None:
    for _ in range(2):
        send_mail("Reset your password", "Here.", "admin@example.com", ["olga@example.com"])

    mails = MailboxMail.objects.all()
    assert [(mail.send_key, mail.project, mail.text) for mail in mails] == [(None, None, "Here.")] * 2
