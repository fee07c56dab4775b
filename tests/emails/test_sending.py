"""From the outbox to a mail service and back, with the local mailbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from signals_app.catalog.models import Coupon
from signals_app.customers import services as customer_services
from signals_app.emails import guards
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import EmailMessage, EmailTemplate, MailboxMail, SenderIdentity
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from tests.emails.examples import MJML, NOW

Queue = Callable[..., EmailMessage]
Shopper = Callable[..., Any]


def send(now: Any = NOW) -> dict[str, int]:
    return dict(email_services.send_due(now=now).counts)


class TestQueueing:
    def test_the_same_key_again_gives_the_first_mail(self, queue: Queue, shopper: Shopper) -> None:
        anna = shopper()

        first, second = queue(anna, send_key="k"), queue(anna, send_key="k", due_at=NOW + timedelta(days=1))

        assert first == second
        assert second.due_at == NOW

    def test_the_same_key_in_another_store_is_another_mail(
        self, queue: Queue, shopper: Shopper, template: EmailTemplate
    ) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")

        assert queue(shopper(), send_key="k") != queue(shopper(), send_key="k", project=other)


class TestSending:
    def test_a_due_mail_arrives_once_with_all_its_headers(
        self, queue: Queue, shopper: Shopper, project: Project, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "https://crm.example.com"
        message = queue(shopper())

        assert send() == {"sent": 1}
        assert send() == {}

        mail = MailboxMail.objects.get()
        assert (mail.project, mail.message, mail.send_key) == (project, message, message.send_key)
        assert (mail.to_email, mail.subject) == ("anna@example.com", "Hello you")
        assert mail.from_email == "Nordlicht <hello@shop.example.com>"
        token = email_services.unsubscribe_token(message)
        assert mail.headers["List-Unsubscribe"] == f"<https://crm.example.com/e/u/{token}>"
        assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail.headers["List-Id"] == "Nordlicht Outdoor <nordlicht.crm.example.com>"
        assert mail.headers["Message-ID"] == f"<{message.pk}@shop.example.com>"
        assert mail.headers["X-Send-Key"] == message.send_key
        assert mail.headers["Reply-To"] == "service@shop.example.com"
        assert f"https://crm.example.com/e/u/{token}" in mail.html
        assert "Hafenstrasse 1" in mail.text
        message.refresh_from_db()
        assert (message.state, message.to_email, message.subject) == ("sent", "anna@example.com", "Hello you")
        assert (message.sending_at, message.finished_at) == (NOW, message.finished_at)
        assert message.lease_token is None
        facts = Fact.objects.filter(kind=FactKind.MESSAGE_SENT)
        assert [fact.subject_ids for fact in facts] == [[str(message.pk)]]

    def test_a_mail_that_is_not_due_waits(self, queue: Queue, shopper: Shopper) -> None:
        queue(shopper(), due_at=NOW + timedelta(seconds=1))

        assert send() == {}

    def test_the_limit_holds_and_the_oldest_goes_first(self, queue: Queue, shopper: Shopper) -> None:
        late = queue(shopper(), due_at=NOW)
        early = queue(shopper(), due_at=NOW - timedelta(hours=1))

        assert email_services.send_due(now=NOW, limit=1).total == 1

        late.refresh_from_db()
        early.refresh_from_db()
        assert (early.state, late.state) == ("sent", "queued")

    def test_products_are_named_by_the_catalogue_or_else_by_their_address(
        self, queue: Queue, shopper: Shopper, project: Project
    ) -> None:
        project.products.create(
            sku="1",
            title="Ridge tent <2>",
            url="https://shop.example.com/products/ridge-tent-2",
            url_key="/products/ridge-tent-2",
            price="199.00",
            currency="EUR",
            first_seen_at=NOW,
        )
        keys = ["/products/ridge-tent-2", "/products/wool-scarf", "javascript:alert(1)"]

        queue(shopper(), context={"product_keys": keys})
        send()

        html = MailboxMail.objects.get().html
        assert "[Ridge tent &lt;2&gt;|https://shop.example.com/products/ridge-tent-2|€199.00]" in html
        assert "https://shop.example.com/products/wool-scarf|]" in html
        assert "ool scarf|" in html
        assert "|javascript" not in html

    def test_headers_cannot_be_injected(self, queue: Queue, shopper: Shopper, project: Project) -> None:
        project.name = "Nord\r\nBcc: x@evil.example"
        project.save()
        SenderIdentity.objects.filter(project=project).update(from_name="Nord\r\nBcc: x@evil.example")
        anna = customer_services.identify(
            project=project,
            identifiers={"email": shopper().email},
            attributes={"first_name": "A\r\nBcc: x@evil.example"},
            time_zone=None,
            now=NOW,
        ).customer

        queue(anna)
        send()

        mail = MailboxMail.objects.get()
        assert "Bcc" not in mail.headers
        assert "\n" not in mail.subject + mail.from_email + mail.headers["List-Id"]

    def test_a_coupon_is_taken_once_for_one_mail(
        self, queue: Queue, shopper: Shopper, project: Project, verdicts: list[guards.GuardVerdict]
    ) -> None:
        for code in ("A", "B"):
            Coupon.objects.create(project=project, pool="summer", code=code)
        template = email_services.save_template(
            EmailTemplate(
                project=project,
                name="Coupon",
                subject="{{ coupon_code | default: 'none' }}",
                mjml=MJML,
                coupon_pool="summer",
            )
        )
        verdicts.append(guards.GuardVerdict(guards.SKIP, "SKIPPED_FREQUENCY_LIMIT"))
        anna = shopper()
        for key in ("1" * 200, "2" * 200, "3", "4"):
            queue(anna, template=template, send_key=key)

        send()

        assert sorted(MailboxMail.objects.values_list("subject", flat=True)) == ["A", "B", "none"]

    def test_a_template_that_breaks_has_sent_nothing_and_keeps_no_coupon(
        self, queue: Queue, shopper: Shopper, project: Project, template: EmailTemplate
    ) -> None:
        Coupon.objects.create(project=project, pool="summer", code="A")
        EmailTemplate.objects.filter(pk=template.pk).update(subject="{{ nobody.name }}", coupon_pool="summer")
        broken = queue(shopper())

        assert send() == {"failed": 1}

        broken.refresh_from_db()
        assert (broken.reason, broken.sending_at) == ("FAILED_TEMPLATE", None)
        assert "undefined" in broken.detail
        assert Coupon.objects.get().claimed_at is None

    def test_one_broken_mail_does_not_keep_the_others(
        self, queue: Queue, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, good = queue(shopper(), due_at=NOW - timedelta(hours=1)), queue(shopper())

        def guard(request: guards.GuardRequest) -> guards.GuardVerdict:
            if request.message == broken:
                raise RuntimeError("a bug")
            return guards.GuardVerdict(guards.SEND)

        monkeypatch.setitem(guards._guards, "REMARKETING", guard)

        assert send() == {"error": 1, "sent": 1}
        for _ in range(10):
            later = NOW + timedelta(minutes=30 + 3 * _)
            send(later)
        broken.refresh_from_db()
        good.refresh_from_db()
        assert good.state == "sent"
        assert (broken.state, broken.reason) == ("failed", "FAILED_TRIES")


class TestReasonsNotToSend:
    def outcome(self, message: EmailMessage) -> tuple[str, str]:
        send()
        message.refresh_from_db()
        assert not MailboxMail.objects.exists()
        assert message.sending_at is None
        return message.state, message.reason

    def test_all_sending_is_paused(self, queue: Queue, shopper: Shopper, project: Project) -> None:
        message = queue(shopper())
        Project.objects.update(is_sending_paused=True)

        assert self.outcome(message) == ("suppressed", "SKIPPED_SENDING_PAUSED")

    def test_no_consent(self, queue: Queue, shopper: Shopper) -> None:
        assert self.outcome(queue(shopper(granted=False))) == ("suppressed", "SKIPPED_NO_CONSENT")

    def test_consent_withdrawn_after_queueing(self, queue: Queue, shopper: Shopper) -> None:
        message = queue(shopper())
        shopper(granted=False)

        assert self.outcome(message) == ("suppressed", "SKIPPED_NO_CONSENT")

    @pytest.mark.parametrize("address", ["anna@example.com", " ANNA@Example.com "])
    def test_the_address_is_suppressed(self, queue: Queue, shopper: Shopper, project: Project, address: str) -> None:
        message = queue(shopper())
        email_services.suppress(
            project=project, email=address, reason=SuppressionReason.BOUNCED, source="test", now=NOW
        )

        assert self.outcome(message) == ("suppressed", "SKIPPED_SUPPRESSED")

    def test_no_sender_is_set_up(self, queue: Queue, shopper: Shopper) -> None:
        message = queue(shopper())
        SenderIdentity.objects.all().delete()

        assert self.outcome(message) == ("suppressed", "SKIPPED_SENDER_MISSING")

    def test_the_sender_is_the_examples_and_the_mail_would_really_leave(
        self, queue: Queue, shopper: Shopper, smtp: Any
    ) -> None:
        message = queue(shopper())
        SenderIdentity.objects.update(is_placeholder=True)

        assert self.outcome(message) == ("suppressed", "SKIPPED_SENDER_MISSING")
        assert smtp.accepted == []

    def test_there_is_no_address(self, queue: Queue, project: Project) -> None:
        visitor = customer_services.record_consent(
            project=project, identifiers={"external_id": "7"}, granted=True, source="test", now=NOW
        )
        message = queue(visitor)

        assert self.outcome(message) == ("suppressed", "SKIPPED_NO_ADDRESS")

    def test_the_guard_says_no(self, queue: Queue, shopper: Shopper, verdicts: list[guards.GuardVerdict]) -> None:
        message = queue(shopper())
        verdicts.append(guards.GuardVerdict(guards.SKIP, "SKIPPED_ORDERED", "ordered yesterday"))

        assert self.outcome(message) == ("suppressed", "SKIPPED_ORDERED")

    def test_nobody_answers_for_its_purpose(
        self, queue: Queue, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = queue(shopper())
        monkeypatch.delitem(guards._guards, "REMARKETING")

        assert self.outcome(message) == ("queued", "")

    def test_a_postponed_mail_goes_out_later(
        self, queue: Queue, shopper: Shopper, verdicts: list[guards.GuardVerdict]
    ) -> None:
        message = queue(shopper())
        morning = NOW + timedelta(hours=8)
        verdicts.append(guards.GuardVerdict(guards.POSTPONE, "POSTPONED_QUIET_HOURS", "until 8:00", until=morning))

        assert self.outcome(message) == ("queued", "POSTPONED_QUIET_HOURS")
        assert (message.due_at, message.attempts) == (morning, 0)
        assert send(morning) == {"sent": 1}
