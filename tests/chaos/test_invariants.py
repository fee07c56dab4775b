"""The judge of a chaos run: it is content with a store in which all went well, and sees each kind of damage."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from chaos import invariants
from chaos.ledger import Ledger, Posting
from chaos.mail_service import Attempt, Ending
from signals_app.customers.models import Customer
from signals_app.emails import gallery as email_gallery
from signals_app.emails.models import EmailMessage, SenderIdentity
from signals_app.facts.models import Fact
from signals_app.remarketing import gallery as rule_gallery
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.webhooks.models import InboxItem, WebhookDelivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def attempts():
    return []


@pytest.fixture
def judged(ledger, attempts):
    """Return the invariants that the judge finds broken."""

    def judge():
        ledger.violations.clear()
        invariants.check_all(ledger, attempts, lag_limit=timedelta(minutes=10))
        return sorted({violation.invariant for violation in ledger.violations})

    return judge


@pytest.fixture
def all_went_well(project, api, post_signal, example_body, run_due, ledger, attempts):
    """A shopper whose three signals were acknowledged and who got a mail; the ledger and the mail service agree."""
    SenderIdentity.objects.create(project=project, from_name="N", from_email="n@example.com", postal_address="Street 1")
    now = timezone.now()
    rule_gallery.install(
        project=project, templates=email_gallery.install(project=project, now=now), wait_minutes=0, holdout=0
    )
    said = {"email": "anna@example.com", "channel": "email", "granted": True, "source": "checkout"}
    assert api("post", "consent/", said).status_code == 200
    for step in range(3):
        raw = json.dumps(example_body(num_events=25 + step)).encode()
        answer = post_signal(raw).json()
        sha256 = hashlib.sha256(raw).digest()
        posting = Posting(f"token{step}", sha256, "anna@example.com", time.time(), [(200, answer["id"], "accepted")])
        ledger.postings.append(posting)
        run_due()
    message = EmailMessage.objects.get(state="sent")
    at = message.sending_at.timestamp()
    attempts.append(Attempt(at, message.to_email, message.send_key, "", Ending.ACCEPTED, at))


def test_nothing_is_broken_when_all_went_well(all_went_well, judged):
    assert judged() == []


@pytest.mark.usefixtures("all_went_well")
class TestSignals:
    def test_sees_an_acknowledged_signal_that_is_lost(self, judged):
        WebhookDelivery.objects.first().delete()
        ShopperSignal.objects.first().delete()

        assert "I1" in judged()

    def test_sees_a_signal_that_is_stored_twice(self, judged):
        delivery = WebhookDelivery.objects.first()
        delivery.pk = None
        WebhookDelivery.objects.create(
            source=delivery.source, verdict=delivery.verdict, body=delivery.body, body_sha256=delivery.body_sha256
        )

        assert judged() == ["I1"]

    def test_sees_a_good_signal_in_quarantine(self, judged):
        delivery = WebhookDelivery.objects.first()
        InboxItem.objects.create(delivery=delivery, source=delivery.source, state="QUARANTINED", error="gave up")

        assert judged() == ["I1"]

    def test_sees_a_signal_that_took_too_long(self, judged):
        signal = ShopperSignal.objects.first()
        ShopperSignal.objects.filter(pk=signal.pk).update(recorded_at=signal.received_at + timedelta(hours=1))

        assert judged() == ["I5"]

    def test_sees_another_answer_than_200_and_503(self, judged, ledger):
        ledger.postings[0].answers.insert(0, (500, "", ""))

        assert judged() == ["I6"]


@pytest.mark.usefixtures("all_went_well")
class TestMails:
    def test_sees_a_mail_that_was_taken_twice(self, judged, attempts):
        attempts.append(attempts[0])

        assert judged() == ["I2", "I4"]

    def test_sees_a_mail_that_is_sent_and_was_never_taken(self, judged, attempts):
        attempts.clear()

        assert judged() == ["I2"]

    def test_sees_a_mail_after_consent_was_withdrawn(self, judged, ledger, attempts):
        ledger.withdrawn["anna@example.com"] = attempts[0].began_at - 1.5

        assert judged() == ["I3"]

    def test_sees_two_mails_in_a_day(self, judged, attempts):
        mail = attempts[0]
        attempts.append(Attempt(mail.began_at, mail.to_email, "rule:other", "", Ending.ACCEPTED, mail.ended_at))

        assert judged() == ["I2", "I4"]

    @pytest.mark.parametrize(("is_explained", "broken"), [(True, []), (False, ["I5"])])
    def test_sees_an_unconfirmed_mail_that_nothing_explains(self, judged, ledger, attempts, is_explained, broken):
        EmailMessage.objects.update(state="unknown")
        Fact.objects.filter(kind="message.sent").delete()
        if is_explained:
            ledger.interruptions.append((attempts[0].began_at + 0.1, "kill", 1))

        assert judged() == broken


@pytest.mark.usefixtures("all_went_well")
class TestSums:
    def test_sees_a_signal_that_was_folded_twice(self, judged):
        profile = IntentProfile.objects.get()
        profile.events_log2 += 1e-3
        profile.save()

        assert judged() == ["I7"]

    def test_sees_a_fact_that_was_noted_twice(self, judged):
        fact = Fact.objects.filter(kind="signal.recorded").first()
        Fact.objects.create(project=fact.project, kind=fact.kind, subject_ids=fact.subject_ids)

        assert judged() == ["I7"]

    def test_changes_nothing_by_refolding(self, judged):
        before = IntentProfile.objects.values().get(customer=Customer.objects.get())

        judged()

        assert IntentProfile.objects.values().get() == before


def test_counts_what_is_left_and_due(all_went_well):
    assert not any(invariants.leftovers().values())

    EmailMessage.objects.update(state="queued", due_at=timezone.now() - timedelta(seconds=1))

    assert invariants.leftovers()["mails"] == 1
