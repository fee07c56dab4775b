from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Identifier
from signals_app.emails.admin.templates import STARTER
from signals_app.emails.constants import MessagePurpose, MessageState, SuppressionReason
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail, SenderIdentity, Suppression
from signals_app.projects.constants import Role
from signals_app.projects.models import Project

TEMPLATES = "/admin/emails/emailtemplate/"
MESSAGES = "/admin/emails/emailmessage/"
MAILBOX = "/admin/emails/mailboxmail/"
SUPPRESSIONS = "/admin/emails/suppression/"
SENDER = "/admin/emails/senderidentity/"
HOSTILE = "<script>alert(1)</script>{{ 7|add:7 }}"


@pytest.fixture
def sender(project: Project) -> SenderIdentity:
    return SenderIdentity.objects.create(
        project=project, from_name="Nordlicht", from_email="hello@example.com", postal_address="Hafenstr. 1\nHamburg"
    )


@pytest.fixture
def customer(project: Project) -> Customer:
    customer = Customer.objects.create(project=project, email="anna@example.com", name=HOSTILE)
    Identifier.objects.create(
        project=project, customer=customer, kind=IdentifierKind.EMAIL, value=customer.email, attributes={}
    )
    return customer


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "Hello", "subject": "Hello", "preheader": "", "mjml": STARTER, "coupon_pool": "", **changes}


@pytest.fixture
def template(sign_in: Callable[..., Client], project: Project) -> EmailTemplate:
    assert sign_in().post(f"{TEMPLATES}add/", form()).status_code == 302
    return EmailTemplate.objects.get()


class TestTemplates:
    def test_a_template_is_saved_compiled(self, template: EmailTemplate, project: Project) -> None:
        assert template.project == project
        assert "{{ unsubscribe_url }}" in template.compiled_html

    def test_saved_untouched_it_stays_as_it_is(self, sign_in: Callable[..., Client], template: EmailTemplate) -> None:
        sign_in().post(f"{TEMPLATES}{template.pk}/change/", form(mjml=template.mjml.replace("\n", "\r\n")))

        assert EmailTemplate.objects.get().mjml == template.mjml

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"mjml": "<mjml><mj-body>"}, "mjml"),
            ({"mjml": STARTER.replace("customer.first_name", "customer.shoe_size")}, "customer.shoe_size"),
            ({"mjml": STARTER.replace("{% endif %}", "")}, "mjml"),
            ({"mjml": STARTER.replace("<mj-text>", "<mj-text><script>alert(1)</script>")}, "mjml"),
            ({"mjml": STARTER.replace("{{ unsubscribe_url }}", "x")}, "unsubscribe_url"),
            ({"subject": "{{ nothing.here }}"}, "nothing.here"),
            ({"name": ""}, "This field is required"),
        ],
        ids=["unfinished", "unknown variable", "open tag", "script", "no unsubscribe link", "subject", "no name"],
    )
    def test_what_does_not_compile_is_refused_and_named(
        self, sign_in: Callable[..., Client], change: dict[str, str], said: str
    ) -> None:
        page = sign_in().post(f"{TEMPLATES}add/", form(**change)).content.decode()

        assert "Please correct the error" in page
        assert said in page
        assert "<script>alert" not in page
        assert not EmailTemplate.objects.exists()

    def test_the_preview_fills_it_in_for_a_real_profile(
        self, sign_in: Callable[..., Client], customer: Customer, sender: SenderIdentity
    ) -> None:
        data = form(subject="For {{ customer.email }}", preview_profile=str(customer.pk))

        answer = sign_in().post(f"{TEMPLATES}preview/", data, headers={"accept": "application/json"}).json()

        assert answer["problems"] == []
        assert answer["subject"] == "For anna@example.com"
        assert "Hafenstr. 1" in answer["html"]
        assert "<script>" not in answer["html"]
        assert not EmailTemplate.objects.exists()

    def test_the_preview_works_without_javascript(
        self, sign_in: Callable[..., Client], customer: Customer, sender: SenderIdentity
    ) -> None:
        page = sign_in().post(f"{TEMPLATES}preview/", form(preview_profile=str(customer.pk))).content.decode()

        assert page.count("<iframe") == 2
        assert 'sandbox=""' in page
        assert "<script>alert" not in page

    def test_the_preview_names_problems(self, sign_in: Callable[..., Client]) -> None:
        data = form(subject=HOSTILE, mjml="<mjml>")

        answer = sign_in().post(f"{TEMPLATES}preview/", data, headers={"accept": "application/json"}).json()

        assert answer["html"] == ""
        assert {problem["label"] for problem in answer["problems"]} == {"Subject", "Content"}
        assert "<script>alert" not in sign_in().post(f"{TEMPLATES}preview/", data).content.decode()

    def test_the_preview_knows_no_profile_of_another_store(
        self, sign_in: Callable[..., Client], customer: Customer, sender: SenderIdentity
    ) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        data = form(subject="For {{ customer.email }}", preview_profile=str(customer.pk))

        answer = sign_in(store=other).post(f"{TEMPLATES}preview/", data, headers={"accept": "application/json"})

        assert "anna@example.com" not in answer.content.decode()

    def test_a_test_is_sent_to_an_address(
        self, sign_in: Callable[..., Client], template: EmailTemplate, sender: SenderIdentity
    ) -> None:
        response = sign_in().post(
            f"{TEMPLATES}{template.pk}/send-test/", {"address": "mia@example.com", "preview_profile": ""}, follow=True
        )

        assert "Test sent to mia@example.com" in response.content.decode()
        mail = MailboxMail.objects.get()
        assert (mail.project, mail.to_email) == (template.project, "mia@example.com")

    def test_a_test_needs_an_address_and_a_sender(
        self, sign_in: Callable[..., Client], template: EmailTemplate
    ) -> None:
        url = f"{TEMPLATES}{template.pk}/send-test/"

        page = sign_in().post(url, {"address": "nobody"}, follow=True).content.decode()
        assert "Send test, address: Enter a valid email address" in page
        page = sign_in().post(url, {"address": "mia@example.com"}, follow=True).content.decode()
        assert "Set up a sender first" in page
        assert not MailboxMail.objects.exists()

    def test_a_copy_gets_a_name_of_its_own(self, sign_in: Callable[..., Client], template: EmailTemplate) -> None:
        for _ in range(2):
            assert sign_in().post(f"{TEMPLATES}{template.pk}/duplicate/").status_code == 302

        names = EmailTemplate.objects.order_by("name").values_list("name", flat=True)
        assert list(names) == ["Hello", "Hello (copy 2)", "Hello (copy)"]

    def test_an_analyst_reads_only(self, sign_in: Callable[..., Client], template: EmailTemplate) -> None:
        browser = sign_in(Role.ANALYST)

        assert browser.get(f"{TEMPLATES}{template.pk}/change/").status_code == 200
        assert browser.post(f"{TEMPLATES}{template.pk}/change/", form()).status_code == 403
        assert browser.post(f"{TEMPLATES}{template.pk}/send-test/", {"address": "a@example.com"}).status_code == 403
        assert browser.post(f"{TEMPLATES}{template.pk}/duplicate/").status_code == 403

    def test_another_store_has_no_such_template(self, sign_in: Callable[..., Client], template: EmailTemplate) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        browser = sign_in(store=other)

        for page in ("change", "delete", "history", "duplicate", "send-test"):
            assert browser.post(f"{TEMPLATES}{template.pk}/{page}/", {}).status_code == 404


def make_message(template: EmailTemplate, customer: Customer, **changes: Any) -> EmailMessage:
    now = timezone.now()
    defaults = {
        "project": template.project,
        "template": template,
        "identifier": customer.identifiers.get(),
        "purpose": MessagePurpose.REMARKETING,
        "send_key": f"key {EmailMessage.objects.count()}",
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }
    return EmailMessage.objects.create(**defaults | changes)


class TestEmails:
    def test_a_skipped_mail_says_why(
        self, sign_in: Callable[..., Client], template: EmailTemplate, customer: Customer
    ) -> None:
        message = make_message(
            template, customer, state=MessageState.SUPPRESSED, reason="SKIPPED_NO_CONSENT", detail=HOSTILE
        )
        browser = sign_in(Role.ANALYST)

        for page in (browser.get(MESSAGES), browser.get(f"{MESSAGES}{message.pk}/change/")):
            assert "Skipped" in page.content.decode()
            assert "No consent" in page.content.decode()
            assert "<script>alert" not in page.content.decode()

    @pytest.mark.parametrize(
        ("reason", "words"),
        [("SKIPPED_FREQUENCY_LIMIT", "Frequency limit"), ("POSTPONED_QUIET_HOURS", "</span> Quiet hours")],
    )
    def test_a_reason_of_another_room_is_readable(
        self, sign_in: Callable[..., Client], template: EmailTemplate, customer: Customer, reason: str, words: str
    ) -> None:
        make_message(template, customer, state=MessageState.SUPPRESSED, reason=reason)

        assert words in sign_in().get(MESSAGES).content.decode()

    def test_a_sent_mail_is_shown_in_frames_that_do_nothing(
        self, sign_in: Callable[..., Client], template: EmailTemplate, customer: Customer
    ) -> None:
        message = make_message(
            template, customer, state=MessageState.SENT, subject=HOSTILE, html=f"<p>{HOSTILE}</p>", text=HOSTILE
        )

        page = sign_in().get(f"{MESSAGES}{message.pk}/change/").content.decode()

        assert page.count("<iframe") == page.count('sandbox=""') == 2
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


@pytest.fixture
def mail(project: Project) -> MailboxMail:
    return MailboxMail.objects.create(
        project=project,
        to_email="anna@example.com",
        from_email="Nordlicht <hello@example.com>",
        subject=HOSTILE,
        headers={"List-Unsubscribe": "<https://crm.example.com/e/u/x>", "X-Odd": HOSTILE},
        html=f"<html><head></head><body>{HOSTILE}</body></html>",
        text=f"Hello {HOSTILE}",
    )


class TestCapturedMails:
    @pytest.mark.parametrize(
        ("view", "said"),
        [
            ("", "<iframe"),
            ("?view=text", "Hello &lt;script&gt;"),
            ("?view=headers", "List-Unsubscribe"),
            ("?view=x", "<iframe"),
        ],
    )
    def test_each_part_is_shown_and_nothing_runs(
        self, sign_in: Callable[..., Client], mail: MailboxMail, view: str, said: str
    ) -> None:
        page = sign_in(Role.ANALYST).get(f"{MAILBOX}{mail.pk}/change/{view}").content.decode()

        assert said in page
        assert "<script>alert" not in page
        assert "allow-scripts" not in page
        assert "allow-same-origin" not in page

    def test_the_list_reads_like_an_inbox(self, sign_in: Callable[..., Client], mail: MailboxMail) -> None:
        page = sign_in().get(MAILBOX).content.decode()

        assert "anna@example.com" in page
        assert "Hello &lt;script&gt;" in page
        assert "<script>alert" not in page

    def test_another_store_has_no_such_mail(self, sign_in: Callable[..., Client], mail: MailboxMail) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        browser = sign_in(store=other)

        assert browser.get(f"{MAILBOX}{mail.pk}/change/").status_code == 404
        assert "anna@example.com" not in browser.get(MAILBOX).content.decode()

    def test_nobody_changes_a_mail(self, sign_in: Callable[..., Client], mail: MailboxMail) -> None:
        browser = sign_in(Role.OWNER)

        assert browser.get(f"{MAILBOX}add/").status_code == 403
        assert browser.post(f"{MAILBOX}{mail.pk}/delete/").status_code == 403


class TestSuppressions:
    def test_an_address_is_added_by_hand(self, sign_in: Callable[..., Client], project: Project) -> None:
        response = sign_in().post(f"{SUPPRESSIONS}add/", {"email": " Anna@Example.com ", "source": "asked by phone"})

        assert response.status_code == 302
        suppression = Suppression.objects.get()
        assert (suppression.project, suppression.email) == (project, "anna@example.com")
        assert (suppression.reason, suppression.source) == (SuppressionReason.MANUAL, "asked by phone")

    def test_twice_or_wrong_is_named(self, sign_in: Callable[..., Client], project: Project) -> None:
        Suppression.objects.create(project=project, email="anna@example.com", reason=SuppressionReason.BOUNCED)
        browser = sign_in()

        page = browser.post(f"{SUPPRESSIONS}add/", {"email": "ANNA@example.com"}).content.decode()
        assert "already has one with this e-mail" in page
        page = browser.post(f"{SUPPRESSIONS}add/", {"email": HOSTILE}).content.decode()
        assert "Enter a valid email address" in page
        assert Suppression.objects.count() == 1

    def test_only_an_owner_takes_one_away_and_is_asked_first(
        self, sign_in: Callable[..., Client], project: Project
    ) -> None:
        suppression = Suppression.objects.create(
            project=project, email="anna@example.com", reason=SuppressionReason.UNSUBSCRIBED
        )
        url = f"{SUPPRESSIONS}{suppression.pk}/delete/"

        assert sign_in().post(url, {"post": "yes"}).status_code == 403
        owner = sign_in(Role.OWNER)
        assert "Are you sure" in owner.get(url).content.decode()
        assert owner.post(url, {"post": "yes"}).status_code == 302
        assert not Suppression.objects.exists()

    def test_an_erased_person_is_only_a_fingerprint(self, sign_in: Callable[..., Client], project: Project) -> None:
        Suppression.objects.create(project=project, email="erased:0123", reason=SuppressionReason.UNSUBSCRIBED)

        page = sign_in().get(SUPPRESSIONS).content.decode()

        assert "An erased person" in page
        assert "0123" not in page


class TestTheSender:
    def test_the_menu_leads_to_the_one_page(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in()
        data = {"from_name": "Nordlicht", "from_email": "hello@example.com", "postal_address": "Hafenstr. 1"}

        assert browser.get(SENDER).headers["Location"] == f"{SENDER}add/"
        assert browser.post(f"{SENDER}add/", data).status_code == 302
        assert SenderIdentity.objects.get().project == project
        assert browser.get(SENDER).headers["Location"] == f"{SENDER}{project.pk}/change/"

    @pytest.mark.parametrize("field", ["from_name", "from_email", "postal_address"])
    def test_what_is_missing_is_named(self, sign_in: Callable[..., Client], field: str) -> None:
        data = {"from_name": "Nordlicht", "from_email": "hello@example.com", "postal_address": "Hafenstr. 1"}

        page = sign_in().post(f"{SENDER}add/", data | {field: ""}).content.decode()

        assert f'id="id_{field}_error"' in page
        assert not SenderIdentity.objects.exists()

    def test_the_examples_sender_is_no_placeholder_once_saved(
        self, sign_in: Callable[..., Client], sender: SenderIdentity
    ) -> None:
        SenderIdentity.objects.update(is_placeholder=True)
        browser = sign_in()

        assert "came with the examples" in browser.get(f"{SENDER}{sender.pk}/change/").content.decode()
        data = {"from_name": "Nordlicht", "from_email": "hello@example.com", "postal_address": "Hafenstr. 1"}
        browser.post(f"{SENDER}{sender.pk}/change/", data)

        assert not SenderIdentity.objects.get().is_placeholder
