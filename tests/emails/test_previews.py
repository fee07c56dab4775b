"""Looking at mails before anybody gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signals_app.catalog.models import Coupon
from signals_app.emails import gallery
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail, SenderIdentity
from signals_app.projects.models import Project
from tests.emails.examples import MJML, NOW


class TestPreview:
    def test_of_nobody_shows_an_example_person(self, template: EmailTemplate) -> None:
        assert email_services.preview(template=template, customer=None, now=NOW).subject == "Hello Ada"

    def test_of_a_customer_shows_what_they_would_get_and_takes_no_coupon(
        self, template: EmailTemplate, shopper: Callable[..., Any]
    ) -> None:
        Coupon.objects.create(project=template.project, pool="summer", code="REAL")
        template.subject, template.coupon_pool = "{{ customer.email }} {{ coupon_code }}", "summer"

        mail = email_services.preview(template=template, customer=shopper(), now=NOW)

        assert mail.subject == "anna@example.com EXAMPLE-CODE"
        assert Coupon.objects.get().claimed_at is None

    def test_needs_neither_a_sender_nor_a_saved_template(self, project: Project) -> None:
        template = EmailTemplate(project=project, name="New", subject="Hello", mjml=MJML)

        assert "Your postal address" in email_services.preview(template=template, customer=None, now=NOW).text

    def test_brings_its_own_policy_for_the_iframe(self, template: EmailTemplate) -> None:
        mail = email_services.preview(template=template, customer=None, now=NOW)

        html = email_services.mail_preview_html(mail)

        assert (
            html.index("<head>")
            < html.index("default-src 'none'")
            < html.index("<title" if "<title" in html else "<body")
        )

    def test_shows_a_mail_without_html_as_text(self) -> None:
        html = email_services.mail_preview_html(MailboxMail(text="<b>1 & 2</b>"))

        assert "<pre>&lt;b&gt;1 &amp; 2&lt;/b&gt;</pre>" in html


class TestTestMail:
    def test_goes_to_the_address_given_and_nowhere_else(self, template: EmailTemplate, mailbox: Any) -> None:
        outcome = email_services.send_test(template=template, to_email="me@example.com", now=NOW)

        [mail] = mailbox()
        assert outcome.state == "sent"
        assert (mail.to_email, mail.subject, mail.project) == ("me@example.com", "[Test] Hello Ada", template.project)
        assert not EmailMessage.objects.exists()

    def test_goes_out_each_time(self, template: EmailTemplate, mailbox: Any) -> None:
        for _ in range(2):
            email_services.send_test(template=template, to_email="me@example.com", now=NOW)

        assert len(mailbox()) == 2

    def test_does_not_go_to_a_suppressed_address(self, template: EmailTemplate, mailbox: Any) -> None:
        email_services.suppress(
            project=template.project,
            email="me@example.com",
            reason=SuppressionReason.UNSUBSCRIBED,
            source="test",
            now=NOW,
        )

        outcome = email_services.send_test(template=template, to_email="Me@example.com", now=NOW)

        assert (outcome.state, outcome.reason, mailbox()) == ("suppressed", "SKIPPED_SUPPRESSED", [])

    def test_needs_a_sender(self, template: EmailTemplate) -> None:
        SenderIdentity.objects.all().delete()
        template.refresh_from_db()

        outcome = email_services.send_test(template=template, to_email="me@example.com", now=NOW)

        assert (outcome.state, outcome.reason) == ("suppressed", "SKIPPED_SENDER_MISSING")


class TestGalleryInstallation:
    def test_makes_every_mail_and_a_placeholder_sender_once(self, project: Project) -> None:
        first = gallery.install(project=project, now=NOW)
        first["dead_click"].subject = "Changed by a marketer"
        first["dead_click"].save()

        second = gallery.install(project=project, now=NOW)

        assert set(first) == set(second) == {mail.key for mail in gallery.MAILS}
        assert EmailTemplate.objects.count() == len(gallery.MAILS)
        assert second["dead_click"].subject == "Changed by a marketer"
        assert SenderIdentity.objects.get().is_placeholder

    def test_leaves_a_sender_that_is_set_up(self, project: Project, sender: SenderIdentity) -> None:
        gallery.install(project=project, now=NOW)

        assert not SenderIdentity.objects.get().is_placeholder
