"""Several workers at once, on the database that the suite runs on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection

from signals_app.core.claims import claim
from signals_app.emails import guards
from signals_app.emails import services as email_services
from signals_app.emails.constants import COUNTED_STATES
from signals_app.emails.models import EmailMessage, MailboxMail
from signals_app.emails.services.sending import CLAIM_LEASE
from tests.emails.examples import NOW
from tests.emails.mail_services import SmtpService

Queue = Callable[..., EmailMessage]
Shopper = Callable[..., Any]
pytestmark = pytest.mark.django_db(transaction=True)


def run_together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the jobs in threads of their own, started at one moment, and return what they returned."""
    start = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)
    errors: list[Exception] = []

    def run(index: int, job: Callable[[], Any]) -> None:
        try:
            start.wait()
            results[index] = job()
        except Exception as error:  # noqa: BLE001 - the assertion below must see it, whatever it is
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return results


def test_many_workers_send_each_mail_once(queue: Queue, shopper: Shopper) -> None:
    anna = shopper()
    for _ in range(12):
        queue(anna)

    reports = run_together([lambda: email_services.send_due(now=NOW)] * 4)

    assert sum(report.counts["sent"] for report in reports) == 12
    assert MailboxMail.objects.count() == 12
    assert set(EmailMessage.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_two_workers_with_one_claim_send_it_once(queue: Queue, shopper: Shopper) -> None:
    message = queue(shopper())
    claimed = claim(EmailMessage.objects.all(), now=NOW, lease=CLAIM_LEASE, limit=1)

    def send() -> str:
        return email_services.send_message(message_id=message.pk, token=claimed.token, now=NOW).state

    assert sorted(run_together([send] * 3)) == ["lost", "lost", "sent"]
    assert MailboxMail.objects.count() == 1


def test_asking_for_one_mail_at_once_makes_one(queue: Queue, shopper: Shopper) -> None:
    anna = shopper()

    messages = run_together([lambda: queue(anna, send_key="one")] * 4)

    assert len({message.pk for message in messages}) == 1


def test_a_limit_counted_under_the_lock_holds(queue: Queue, shopper: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard counts what has begun; without the customer's lock two workers would both count nothing."""

    def guard(request: guards.GuardRequest) -> guards.GuardVerdict:
        mails = EmailMessage.objects.filter(identifier__customer=request.customer, sending_at__gt=NOW - CLAIM_LEASE)
        is_first = not mails.filter(state__in=COUNTED_STATES).exists()
        return guards.GuardVerdict(guards.SEND if is_first else guards.SKIP, "" if is_first else "SKIPPED_LIMIT")

    monkeypatch.setitem(guards._guards, "REMARKETING", guard)
    shoppers = [shopper(f"shopper{number}@example.com") for number in range(3)]
    for customer in shoppers:
        for _ in range(4):
            queue(customer)

    run_together([lambda: email_services.send_due(now=NOW, limit=3)] * 4)
    email_services.send_due(now=NOW)

    assert sorted(MailboxMail.objects.values_list("to_email", flat=True)) == [one.email for one in shoppers]


def test_no_mail_begins_after_the_unsubscription_is_acknowledged(queue: Queue, shopper: Shopper) -> None:
    anna = shopper()
    messages = [queue(anna) for _ in range(10)]
    token = email_services.unsubscribe_token(messages[0])
    sent_before: list[int] = []

    def unsubscribe() -> None:
        email_services.unsubscribe(token=token, now=NOW)
        sent_before.append(EmailMessage.objects.exclude(state__in=("queued", "suppressed")).count())

    run_together([unsubscribe, lambda: email_services.send_due(now=NOW)])

    begun = EmailMessage.objects.exclude(state__in=("queued", "suppressed")).count()
    assert begun <= sent_before[0]
    assert begun == MailboxMail.objects.count()


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="ends a session of the server")
def test_what_the_mail_service_said_is_written_although_the_database_went_away_meanwhile(
    queue: Queue, shopper: Shopper, smtp: SmtpService
) -> None:
    message = queue(shopper())
    ours = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def end_every_session() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid) {ours}")
        connection.close()

    smtp.on_request = end_every_session

    email_services.send_due(now=NOW)

    message.refresh_from_db()
    assert (message.state, len(smtp.accepted)) == ("sent", 1)
