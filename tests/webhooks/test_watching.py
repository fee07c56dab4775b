"""The team hears of a broken connection within minutes, once, and hears when it works again; and of nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from signals_app.core.models import new_id
from signals_app.emails.models import MailboxMail
from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project
from signals_app.webhooks import inbox, services
from signals_app.webhooks.constants import AlertKind, DeliveryVerdict, InboxState, ProbeOutcome, RejectionReason
from signals_app.webhooks.models import (
    AddressProbe,
    ConnectionAlert,
    HourlyCount,
    InboxItem,
    SignatureFailure,
    WebhookDelivery,
    WebhookSource,
)
from tests.webhooks.test_silence import MONDAY, by_hour, traffic

pytestmark = pytest.mark.django_db

NOON = MONDAY + timedelta(weeks=4, days=1, hours=10)
"""12:00 in Berlin, on a Tuesday."""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def team(project: Project) -> None:
    for name, role in (("owner", Role.OWNER), ("operator", Role.OPERATOR), ("marketer", Role.MARKETER)):
        user = get_user_model().objects.create_user(name, f"{name}@shop.example", is_staff=True)
        Membership.objects.create(project=project, user=user, role=role)


def deliver(source: WebhookSource, *moments: datetime) -> list[WebhookDelivery]:
    return WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                id=new_id(),
                source=source,
                received_at=moment,
                verdict=DeliveryVerdict.ACCEPTED,
                body=b"{}",
                body_sha256=b"\0" * 32,
            )
            for moment in moments
        ]
    )


def look(now: datetime) -> None:
    """Do what the beat task does at `now`."""
    services.count_arrivals(now=now)
    services.watch(now=now)
    services.mail_alerts(now=now)


def open_kinds() -> dict[str, str]:
    return dict(ConnectionAlert.objects.filter(resolved_at=None).values_list("kind", "detail"))


class TestSilence:
    @pytest.fixture
    def known(self, source: WebhookSource) -> WebhookSource:
        """Return a source with four weeks of signals, the last of them just before noon on a Tuesday."""
        came = [moment for moment in traffic(MONDAY, 5, 40, seed=5) if moment < NOON]
        HourlyCount.objects.bulk_create(
            [
                HourlyCount(source=source, hour=hour, outcome=inbox.RECEIVED, count=count)
                for hour, count in by_hour(came, MONDAY, NOON).items()
            ]
        )
        deliver(source, NOON)
        return source

    def test_in_the_middle_of_the_day_is_told_once_and_so_is_its_end(
        self, known: WebhookSource, team: None, mailbox: Callable[[], list[Any]]
    ) -> None:
        opened_after = next(
            minute for minute in range(120) if look(NOON + minute * MINUTE) or open_kinds().get(AlertKind.SILENT)
        )
        for minute in range(opened_after, opened_after + 120, 7):
            look(NOON + minute * MINUTE)
        [told] = mailbox()

        deliver(known, NOON + timedelta(hours=6))
        for minute in range(3):
            look(NOON + timedelta(hours=6) + minute * MINUTE)
        [_, over] = mailbox()

        assert opened_after <= 30
        assert told.subject == "[Nordlicht Outdoor] No signals"
        assert told.to_email == "owner@shop.example, operator@shop.example"
        assert "Insightarc: No signal since 12:00. At this hour 3" in told.text
        assert f"/admin/webhooks/webhooksource/{known.pk}/change/" in told.text
        assert over.subject == "[Nordlicht Outdoor] Over: No signals"
        assert "Signals are coming in again." in over.text
        assert open_kinds() == {}

    def test_at_night_is_normal(self, known: WebhookSource, team: None) -> None:
        midnight = NOON + timedelta(hours=10, minutes=50)
        deliver(known, *[moment for moment in traffic(NOON, 0.1, 40, seed=6) if moment < midnight], midnight)

        for minute in range(0, 8 * 60, 30):
            look(midnight + minute * MINUTE)

        assert not ConnectionAlert.objects.exists()

    def test_of_a_source_that_is_new_is_noticed_after_a_day(self, source: WebhookSource, team: None) -> None:
        deliver(source, *[NOON + minute * MINUTE for minute in range(150)])
        last = NOON + 149 * MINUTE

        look(last + timedelta(hours=23))
        before = open_kinds()
        look(last + timedelta(hours=24))

        assert before == {}
        assert open_kinds()[AlertKind.SILENT].startswith("No signal since Tuesday 14:29. That is more than a day.")

    def test_of_a_source_that_was_never_used_or_is_a_demo_is_not_an_alert(
        self, known: WebhookSource, project: Project, team: None
    ) -> None:
        WebhookSource.objects.create(project=project, name="Never used")
        Project.objects.filter(pk=project.pk).update(is_demo=True)

        look(NOON + timedelta(days=3))

        assert not ConnectionAlert.objects.exists()

    def test_pausing_ends_the_alert_without_a_mail_and_prevents_others(
        self, known: WebhookSource, team: None, mailbox: Callable[[], list[Any]]
    ) -> None:
        look(NOON + timedelta(hours=2))
        services.pause(source=known, now=NOON + timedelta(hours=2))
        for hours in (3, 4, 30):
            look(NOON + timedelta(hours=hours))

        assert open_kinds() == {}
        assert len(mailbox()) == 1

    def test_goes_on_until_a_signal_comes_however_usual_it_becomes(self, known: WebhookSource) -> None:
        for weeks in range(1, 12):
            look(NOON + timedelta(weeks=weeks))

        assert open_kinds()[AlertKind.SILENT].startswith("No signal since")
        assert ConnectionAlert.objects.filter(kind=AlertKind.SILENT).count() == 1


class TestCounting:
    def test_counts_each_whole_hour_once_with_those_that_brought_nothing(self, source: WebhookSource) -> None:
        deliver(source, *[MONDAY + minutes * MINUTE for minutes in (30, 61, 62, 200)])

        first = services.count_arrivals(now=MONDAY + timedelta(hours=3, minutes=30))
        again = services.count_arrivals(now=MONDAY + timedelta(hours=3, minutes=30))
        services.count_arrivals(now=MONDAY + timedelta(hours=4, minutes=1))

        counts = HourlyCount.objects.filter(outcome=inbox.RECEIVED).order_by("hour").values_list("count", flat=True)
        assert (first, again) == (2, 0)
        assert list(counts) == [2, 0, 1]

    def test_catches_up_a_week_at_a_time_with_what_really_came(self, source: WebhookSource) -> None:
        came = traffic(MONDAY, 2, 5, seed=2)
        deliver(source, *came)
        end = MONDAY + timedelta(weeks=2)

        steps = [services.count_arrivals(now=end + MINUTE) for _ in range(3)]

        counts = dict(HourlyCount.objects.filter(outcome=inbox.RECEIVED).values_list("hour", "count"))
        assert steps[0] == 7 * 24
        assert steps[2] == 0
        assert counts == by_hour(came, came[0], end)

    def test_leaves_an_hour_open_while_requests_of_it_may_still_be_committing(self, source: WebhookSource) -> None:
        deliver(source, MONDAY)

        assert services.count_arrivals(now=MONDAY + timedelta(hours=1, seconds=59)) == 0
        assert services.count_arrivals(now=MONDAY + timedelta(hours=1, seconds=60)) == 1


class TestSignatures:
    def fail(self, source: WebhookSource, *minutes: int) -> None:
        for minute in minutes:
            SignatureFailure.objects.create(
                source=source,
                reason=RejectionReason.BAD_SIGNATURE,
                received_at=NOON + minute * MINUTE,
                body=b"{}",
            )

    def test_that_fail_while_none_succeeds_are_told_within_five_minutes(self, source: WebhookSource) -> None:
        deliver(source, NOON)
        self.fail(source, 1, 2, 3)

        look(NOON + 4 * MINUTE)
        before = open_kinds()
        look(NOON + 5 * MINUTE)
        during = open_kinds()
        deliver(source, NOON + 6 * MINUTE)
        look(NOON + 7 * MINUTE)

        assert before == {}
        assert during[AlertKind.BAD_SIGNATURES].startswith("Since 12:00 requests come, but their signature does not")
        assert open_kinds() == {}

    def test_that_failed_beside_successes_before_are_told_after_a_quarter_of_an_hour(
        self, source: WebhookSource
    ) -> None:
        self.fail(source, -60, 1, 2, 3)
        deliver(source, NOON)

        look(NOON + 14 * MINUTE)
        before = open_kinds()
        look(NOON + 15 * MINUTE)

        assert (before, set(open_kinds())) == ({}, {AlertKind.BAD_SIGNATURES})

    def test_that_fail_among_others_that_succeed_are_somebody_elses_noise(self, source: WebhookSource) -> None:
        for minute in range(60):
            self.fail(source, minute)
            if minute % 10 == 0:
                deliver(source, NOON + minute * MINUTE)
            look(NOON + minute * MINUTE)

        assert not ConnectionAlert.objects.exists()

    def test_that_fail_twice_are_no_alert(self, source: WebhookSource) -> None:
        self.fail(source, 1, 2)

        look(NOON + timedelta(hours=1))

        assert not ConnectionAlert.objects.exists()

    def test_of_a_connection_that_never_worked_are_told_until_they_stop(self, source: WebhookSource) -> None:
        self.fail(source, 1, 2, 3)

        look(NOON + 5 * MINUTE)
        during = open_kinds()
        look(NOON + timedelta(hours=25))

        assert set(during) == {AlertKind.BAD_SIGNATURES}
        assert open_kinds() == {}


class TestTheInbox:
    def test_that_is_not_emptied_is_an_alert_until_it_is(self, source: WebhookSource) -> None:
        [delivery] = deliver(source, NOON)
        item = InboxItem.objects.create(delivery=delivery, source=source, due_at=NOON)

        look(NOON + timedelta(seconds=119))
        before = open_kinds()
        look(NOON + timedelta(seconds=121))
        during = open_kinds()
        waiting = services.oldest_waiting(now=NOON + timedelta(seconds=121))
        item.delete()
        look(NOON + timedelta(seconds=181))

        assert before == {}
        assert during[AlertKind.INBOX].startswith("Signals wait to be processed since 12:00.")
        assert waiting == NOON
        assert open_kinds() == {}

    def test_with_something_that_needs_fixing_is_told(
        self, source: WebhookSource, team: None, mailbox: Callable[[], list[Any]]
    ) -> None:
        for delivery in deliver(source, NOON, NOON):
            InboxItem.objects.create(delivery=delivery, source=source, state=InboxState.QUARANTINED)
            look(NOON + MINUTE)
        InboxItem.objects.all().delete()
        look(NOON + 2 * MINUTE)

        assert [mail.subject for mail in mailbox()] == [
            "[Nordlicht Outdoor] Signals need fixing",
            "[Nordlicht Outdoor] Over: Signals need fixing",
        ]


class TestCertificates:
    def test_that_end_soon_are_told_at_fourteen_days_and_again_at_three(
        self, source: WebhookSource, team: None, mailbox: Callable[[], list[Any]]
    ) -> None:
        ends = NOON + timedelta(days=20)
        probe = AddressProbe.objects.create(
            source=source, url=source.registered_urls[0], url_sha256=b"x", certificate_expires_at=ends, outcome="OK"
        )
        told = []
        for days in range(22):
            look(NOON + timedelta(days=days, minutes=1))
            told.append(len(mailbox()))
        AddressProbe.objects.filter(pk=probe.pk).update(certificate_expires_at=ends + timedelta(days=90))
        look(NOON + timedelta(days=22))

        assert [day for day in range(1, 22) if told[day] > told[day - 1]] == [6, 17]
        assert "ends on 26 October 2026" in mailbox()[0].text
        assert "Over: Certificate ends soon" in mailbox()[2].subject


class TestAddresses:
    def note(self, source: WebhookSource, **changes: Any) -> None:
        AddressProbe.objects.all().delete()
        AddressProbe.objects.create(
            **{
                "source": source,
                "url": source.registered_urls[0],
                "url_sha256": b"x",
                "outcome": ProbeOutcome.WRONG_ANSWER,
                "problem": "It answers 404, but has to answer 200.",
                "failure_count": 2,
                "failing_since": NOON,
                "answered_at": NOON - timedelta(hours=1),
            }
            | changes
        )

    @pytest.mark.parametrize(
        ("changes", "is_alert"),
        [
            ({}, True),
            ({"failure_count": 1}, False),
            ({"url": "https://old.example.com/"}, False),
            ({"outcome": ProbeOutcome.BAD_CERTIFICATE}, True),
            ({"outcome": ProbeOutcome.NO_ANSWER}, True),
            ({"outcome": ProbeOutcome.NO_ANSWER, "answered_at": None}, False),
            ({"outcome": ProbeOutcome.NO_ANSWER, "failing_since": NOON - timedelta(hours=1)}, False),
            ({"outcome": ProbeOutcome.OK, "failure_count": 0, "failing_since": None}, False),
        ],
        ids=[
            "twice wrong",
            "once wrong",
            "no longer registered",
            "bad certificate",
            "no answer",
            "never answered us",
            "no answer while signals come",
            "well",
        ],
    )
    def test_are_alerts_when_insightarc_would_be_refused_too(
        self, source: WebhookSource, changes: dict[str, Any], is_alert: bool
    ) -> None:
        deliver(source, NOON - timedelta(minutes=30))
        self.note(source, **changes)

        look(NOON + MINUTE)

        assert (AlertKind.ADDRESS in open_kinds()) == is_alert


class TestTelling:
    def alert(self, source: WebhookSource) -> ConnectionAlert:
        return ConnectionAlert.objects.create(source=source, kind=AlertKind.SILENT, detail="Quiet.", opened_at=NOON)

    def test_is_tried_again_when_the_mail_service_fails(
        self, source: WebhookSource, team: None, settings: Any, mailbox: Callable[[], list[Any]]
    ) -> None:
        alert, works = self.alert(source), settings.EMAIL_BACKEND
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = free.getsockname()
            failed = services.mail_alerts(now=NOON)
        settings.EMAIL_BACKEND = works
        at_once = services.mail_alerts(now=NOON + MINUTE)
        later = services.mail_alerts(now=NOON + 6 * MINUTE)

        assert (failed, at_once, later) == (0, 0, 1)
        assert len(mailbox()) == 1
        alert.refresh_from_db()
        assert alert.notified_at == NOON + 6 * MINUTE

    def test_says_nothing_of_what_was_over_before_anybody_was_told(
        self, source: WebhookSource, team: None, mailbox: Callable[[], list[Any]]
    ) -> None:
        self.alert(source)
        look(NOON + MINUTE)  # nothing is silent: the alert ends before it is mailed

        assert open_kinds() == {}
        assert mailbox() == []

    def test_survives_a_team_without_addresses_and_a_name_with_a_line_break(
        self, source: WebhookSource, project: Project, mailbox: Callable[[], list[Any]]
    ) -> None:
        self.alert(source)
        assert services.mail_alerts(now=NOON) == 1
        Project.objects.filter(pk=project.pk).update(name="Nordlicht\r\nBcc: x@evil.example")
        user = get_user_model().objects.create_user("owner", "owner@shop.example")
        Membership.objects.create(project=project, user=user, role=Role.OWNER)
        ConnectionAlert.objects.update(notified_at=None)

        assert services.mail_alerts(now=NOON) == 1
        assert mailbox()[0].subject == "[Nordlicht Bcc: x@evil.example] No signals"


@pytest.mark.django_db(transaction=True)
def test_workers_that_look_at_the_same_moment_open_and_tell_once(source: WebhookSource, team: None) -> None:
    [delivery] = deliver(source, NOON)
    InboxItem.objects.create(delivery=delivery, source=source, due_at=NOON)

    def run(_: int) -> None:
        try:
            look(NOON + timedelta(minutes=5))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(8)))

    assert ConnectionAlert.objects.count() == 1
    assert MailboxMail.objects.count() == 1


def test_open_alerts_are_counted_by_kind(source: WebhookSource, project: Project) -> None:
    other = WebhookSource.objects.create(project=project, name="Second")
    for each in (source, other):
        ConnectionAlert.objects.create(source=each, kind=AlertKind.SILENT, detail="Quiet.", opened_at=NOON)
    ConnectionAlert.objects.create(
        source=source, kind=AlertKind.INBOX, detail="Waits.", opened_at=NOON, resolved_at=datetime.now(UTC)
    )

    assert services.open_alerts() == dict.fromkeys(AlertKind.values, 0) | {AlertKind.SILENT: 2}
