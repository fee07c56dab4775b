"""What real connections to mail services end in: accepted, refused, hung up on, or silence."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.mail import EmailMessage as DjangoMail
from django.core.mail.backends.base import BaseEmailBackend

from signals_app.core.claims import claim
from signals_app.emails import services as email_services
from signals_app.emails.constants import MessageState
from signals_app.emails.delivery_errors import MAX_RETRY_AFTER, Outcome, parse_retry_after
from signals_app.emails.mailbox import LocalMailboxBackend
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.emails.services.sending import (
    ACCOUNT_RETRY,
    CLAIM_LEASE,
    FIRST_RETRY,
    LONGEST_RETRY,
    MAX_TRIES,
    SENDING_LEASE,
    finish,
    retry_delay,
)
from tests.emails.examples import NOW
from tests.emails.mail_services import REFUSED, HttpService, SmtpService

Queue = Callable[..., EmailMessage]
Shopper = Callable[..., Any]


@pytest.fixture
def outcome(queue: Queue, shopper: Shopper) -> Callable[[], EmailMessage]:
    """Send one mail and return its row."""

    def send() -> EmailMessage:
        message = queue(shopper())
        email_services.send_due(now=NOW)
        message.refresh_from_db()
        return message

    return send


class TestSmtp:
    def test_an_accepted_mail_is_sent(self, smtp: SmtpService, outcome: Callable[[], EmailMessage]) -> None:
        message = outcome()

        [(recipient, body)] = smtp.accepted
        assert (message.state, recipient) == ("sent", "anna@example.com")
        assert f"X-Send-Key: {message.send_key}" in body
        assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in body

    @pytest.mark.parametrize(
        "answers",
        [
            {"RCPT": "450 mailbox busy"},
            {"MAIL": "451 try later"},
            {"DATA": "451 not now"},
            {"END": "452 disk full"},
            {"HELO": "421 too busy"},
            {"RCPT": "421 closing"},
        ],
    )
    def test_a_temporary_refusal_is_tried_again(
        self, smtp: SmtpService, outcome: Callable[[], EmailMessage], answers: dict[str, str]
    ) -> None:
        smtp.script = [answers]

        message = outcome()

        assert (message.state, message.reason, message.sending_at) == ("retry", "WAITING_RETRY", None)
        assert NOW < message.due_at <= NOW + FIRST_RETRY * 1.25
        assert message.lease_token is None
        email_services.send_due(now=message.due_at)
        message.refresh_from_db()
        assert (message.state, len(smtp.accepted)) == ("sent", 1)

    @pytest.mark.parametrize("answers", [{"RCPT": "550 no such user"}, {"END": "554 spam"}, {"DATA": "550 no"}])
    def test_a_final_refusal_fails_and_the_others_go_on(
        self, smtp: SmtpService, queue: Queue, shopper: Shopper, answers: dict[str, str]
    ) -> None:
        smtp.script = [answers]
        refused, good = queue(shopper(), due_at=NOW - timedelta(hours=1)), queue(shopper("berta@example.com"))

        report = email_services.send_due(now=NOW)

        refused.refresh_from_db()
        assert report.counts == {"failed": 1, "sent": 1}
        assert (refused.state, refused.reason) == ("failed", "FAILED_REFUSED")
        assert next(iter(answers.values()))[4:] in refused.detail
        assert [recipient for recipient, _ in smtp.accepted] == [good.identifier.value]

    @pytest.mark.parametrize("action", ["drop", "hang"])
    def test_silence_after_the_mail_was_handed_over_is_unknown_and_never_sent_again(
        self, smtp: SmtpService, outcome: Callable[[], EmailMessage], action: str
    ) -> None:
        smtp.script = [action]

        message = outcome()

        assert (message.state, message.reason) == ("unknown", "UNKNOWN_NO_ANSWER")
        assert message.sending_at == NOW
        for days in (0, 1, 30):
            email_services.recover_interrupted(now=NOW + timedelta(days=days))
            email_services.send_due(now=NOW + timedelta(days=days))
        assert len(smtp.accepted) == 1

    @pytest.mark.parametrize("answers", [{"MAIL": "530 authenticate first"}, {"MAIL": "550 5.7.515 sender refused"}])
    def test_a_refusal_of_our_account_burns_nothing(
        self, smtp: SmtpService, queue: Queue, shopper: Shopper, answers: dict[str, str]
    ) -> None:
        smtp.script = [answers] * 100
        messages = [queue(shopper()) for _ in range(3)]

        report = email_services.send_due(now=NOW)

        assert report.counts == {"retry": 1}
        rows = EmailMessage.objects.filter(pk__in=[message.pk for message in messages])
        assert sorted(rows.values_list("state", "lease_token")) == [("queued", None), ("queued", None), ("retry", None)]
        waiting = rows.get(state="retry")
        assert (waiting.reason, waiting.due_at, waiting.attempts) == ("WAITING_ACCOUNT", NOW + ACCOUNT_RETRY, 0)

    def test_a_refusal_of_our_account_takes_no_try_from_the_mails_behind_it(
        self, smtp: SmtpService, queue: Queue, shopper: Shopper
    ) -> None:
        smtp.script = [{"MAIL": "530 authenticate first"}] * 100
        for number in range(MAX_TRIES + 4):
            queue(shopper(f"shopper{number}@example.com"))

        for _ in range(MAX_TRIES + 2):
            email_services.send_due(now=NOW)

        waiting = EmailMessage.objects.filter(state="queued")
        assert list(waiting.values_list("attempts", "lease_token")) == [(0, None), (0, None)]
        assert EmailMessage.objects.filter(state="retry").count() == MAX_TRIES + 2

    def test_a_slow_service_ends_the_run_and_what_was_not_begun_is_given_back(
        self, smtp: SmtpService, queue: Queue, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("signals_app.emails.services.sending.MAX_SECONDS", 0.2)
        smtp.on_request = lambda: time.sleep(0.3)
        for number in range(3):
            queue(shopper(f"shopper{number}@example.com"))

        report = email_services.send_due(now=NOW)

        assert report.counts == {"sent": 1}
        waiting = EmailMessage.objects.filter(state="queued")
        assert list(waiting.values_list("attempts", "lease_token")) == [(0, None), (0, None)]

    def test_a_server_that_is_not_there_is_tried_again(
        self, settings: Any, outcome: Callable[[], EmailMessage]
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port()

        assert outcome().state == "retry"

    def test_after_many_tries_it_is_given_up(self, smtp: SmtpService, queue: Queue, shopper: Shopper) -> None:
        smtp.script = [{"RCPT": "450 busy"}] * 20
        message = queue(shopper())

        for _ in range(MAX_TRIES + 2):
            message.refresh_from_db()
            email_services.send_due(now=message.due_at)

        message.refresh_from_db()
        assert (message.state, message.reason, message.attempts) == ("failed", "FAILED_TRIES", MAX_TRIES)
        assert "450" in message.detail or "busy" in message.detail


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestAnymail:
    def test_an_accepted_mail_is_sent_and_keeps_the_services_id(
        self, postmark: HttpService, outcome: Callable[[], EmailMessage]
    ) -> None:
        message = outcome()

        [request] = postmark.accepted
        headers = {header["Name"]: header["Value"] for header in request["Headers"]}
        assert (message.state, message.esp_message_id) == ("sent", "esp-1")
        assert headers["X-Send-Key"] == message.send_key
        assert request["Metadata"] == {"project_id": str(message.project_id), "message_id": str(message.pk)}
        assert request["Tag"] == "REMARKETING"
        assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_an_overloaded_service_is_tried_again(
        self, postmark: HttpService, outcome: Callable[[], EmailMessage], status: int
    ) -> None:
        postmark.script = [(status, {}, "{}")]

        message = outcome()

        assert (message.state, message.sending_at) == ("retry", None)
        assert message.due_at <= NOW + FIRST_RETRY * 1.25

    @pytest.mark.parametrize("wait", ["1800", format_datetime(NOW + timedelta(minutes=30), usegmt=True)])
    def test_what_retry_after_asks_for_is_waited(
        self, postmark: HttpService, outcome: Callable[[], EmailMessage], wait: str
    ) -> None:
        postmark.script = [(429, {"Retry-After": wait}, "{}")]

        assert outcome().due_at == NOW + timedelta(minutes=30)

    @pytest.mark.parametrize("status", [400, 406, 413, 422])
    def test_a_refused_mail_fails(
        self, postmark: HttpService, outcome: Callable[[], EmailMessage], status: int
    ) -> None:
        postmark.script = [(status, {}, "{}")]

        assert outcome().state == "failed"

    def test_a_refused_recipient_fails(self, postmark: HttpService, outcome: Callable[[], EmailMessage]) -> None:
        postmark.script = [(422, {}, REFUSED)]

        assert outcome().state == "failed"

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key_burns_nothing(
        self, postmark: HttpService, queue: Queue, shopper: Shopper, status: int
    ) -> None:
        postmark.script = [(status, {}, "{}")] * 10
        for _ in range(3):
            queue(shopper())

        assert email_services.send_due(now=NOW).counts == {"retry": 1}
        assert EmailMessage.objects.filter(state="queued", lease_token=None).count() == 2

    def test_a_missing_key_burns_nothing(
        self, postmark: HttpService, settings: Any, outcome: Callable[[], EmailMessage]
    ) -> None:
        settings.ANYMAIL = {}

        message = outcome()

        assert (message.state, message.reason) == ("retry", "WAITING_ACCOUNT")

    @pytest.mark.parametrize("action", ["drop", "hang", (200, {}, "not json"), (504, {}, "{}")])
    def test_an_answer_that_says_nothing_is_unknown(
        self, postmark: HttpService, outcome: Callable[[], EmailMessage], action: Any
    ) -> None:
        postmark.script = [action]

        assert outcome().state == "unknown"

    def test_a_service_that_is_not_there_is_tried_again(
        self, postmark: HttpService, settings: Any, outcome: Callable[[], EmailMessage]
    ) -> None:
        settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_API_URL": f"http://127.0.0.1:{closed_port()}/"}

        assert outcome().state == "retry"


class DyingBackend(BaseEmailBackend):
    """A worker that is killed while it talks to a mail service: nothing after this point runs."""

    def send_messages(self, email_messages: Sequence[DjangoMail]) -> int:
        raise SystemExit


class MailboxOfTheDead(LocalMailboxBackend):
    """A worker that is killed before, or just after, the local mailbox has the mail."""

    captures_first = False

    def send_messages(self, email_messages: Sequence[DjangoMail]) -> int:
        if self.captures_first:
            super().send_messages(email_messages)
        raise SystemExit


class TestRecovery:
    def die(self, settings: Any, backend: type[BaseEmailBackend]) -> None:
        settings.EMAIL_BACKEND = f"{__name__}.{backend.__name__}"
        with pytest.raises(SystemExit):
            email_services.send_due(now=NOW)

    def test_a_worker_killed_while_sending_leaves_an_unknown_mail(
        self, settings: Any, queue: Queue, shopper: Shopper
    ) -> None:
        message = queue(shopper())
        self.die(settings, DyingBackend)

        message.refresh_from_db()
        assert message.state == "sending"
        assert email_services.recover_interrupted(now=NOW + SENDING_LEASE / 2) == {}
        assert email_services.recover_interrupted(now=NOW + SENDING_LEASE) == {"unknown": 1}
        assert email_services.send_due(now=NOW + timedelta(days=1)).total == 0
        message.refresh_from_db()
        assert (message.state, message.reason, message.sending_at) == ("unknown", "UNKNOWN_NO_ANSWER", NOW)

    @pytest.mark.parametrize(("captures_first", "state"), [(True, "sent"), (False, "retry")])
    def test_the_local_mailbox_knows_what_it_has(
        self,
        settings: Any,
        queue: Queue,
        shopper: Shopper,
        monkeypatch: pytest.MonkeyPatch,
        captures_first: bool,
        state: str,
    ) -> None:
        message = queue(shopper())
        monkeypatch.setattr(MailboxOfTheDead, "captures_first", captures_first)
        self.die(settings, MailboxOfTheDead)
        settings.EMAIL_BACKEND = "signals_app.emails.mailbox.LocalMailboxBackend"
        later = NOW + SENDING_LEASE

        assert email_services.recover_interrupted(now=later) == {state: 1}
        email_services.send_due(now=later)
        message.refresh_from_db()
        assert message.state == "sent"
        assert MailboxMail.objects.count() == 1

    def test_a_slow_worker_that_comes_back_says_what_became_of_the_mail(
        self, settings: Any, queue: Queue, shopper: Shopper
    ) -> None:
        message = queue(shopper())
        self.die(settings, DyingBackend)
        message.refresh_from_db()
        token = message.lease_token
        assert token is not None
        email_services.recover_interrupted(now=NOW + SENDING_LEASE)

        is_ours = finish(message_id=message.pk, token=token, outcome=Outcome(MessageState.SENT), now=NOW)

        message.refresh_from_db()
        assert (is_ours, message.state) == (True, "sent")
        assert not finish(message_id=message.pk, token=token, outcome=Outcome(MessageState.FAILED), now=NOW)

    def test_a_claim_whose_worker_died_before_sending_is_taken_over(self, queue: Queue, shopper: Shopper) -> None:
        message = queue(shopper())
        lost = claim(EmailMessage.objects.all(), now=NOW, lease=CLAIM_LEASE, limit=5)

        assert email_services.send_due(now=NOW + CLAIM_LEASE / 2).total == 0
        assert email_services.send_due(now=NOW + CLAIM_LEASE).counts == {"sent": 1}
        late = email_services.send_message(message_id=message.pk, token=lost.token, now=NOW + CLAIM_LEASE)

        assert late.state == "lost"
        assert MailboxMail.objects.count() == 1


def test_waits_double_up_to_an_hour_and_are_spread() -> None:
    waits = [retry_delay(attempts) for attempts in range(1, 12)]

    assert FIRST_RETRY * 0.75 <= waits[0] <= FIRST_RETRY * 1.25
    assert waits[2] > waits[0]
    assert max(waits) <= LONGEST_RETRY * 1.25
    assert len({retry_delay(5) for _ in range(10)}) > 1
    assert retry_delay(1, asked=timedelta(hours=5)) == timedelta(hours=5)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("9" * 40, MAX_RETRY_AFTER),
        (format_datetime(NOW - timedelta(hours=1)), timedelta(0)),
        (format_datetime(NOW + timedelta(days=30)), MAX_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("\u0663", None),
        ("Mon, 02 Mar 2026 12:00:00", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, wait: timedelta | None) -> None:
    assert parse_retry_after(value, now=NOW) == wait
