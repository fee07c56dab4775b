"""The chaos run itself, in small: it starts everything, breaks a little, and says what it found."""

from __future__ import annotations

import os
import random
import smtplib
import subprocess
import sys
from email.message import EmailMessage

import pytest

from chaos import servers
from chaos.mail_service import Ending, MailService, Temper
from chaos.processes import free_port, wait_until
from tests.functional.running_program import ROOT

MINUTES = 5 * 60


def can_run():
    try:
        return bool(servers.postgres_binaries() and servers.redis_binary())
    except servers.CannotRunHere:
        return False


@pytest.mark.processes
@pytest.mark.redis
@pytest.mark.xdist_group("processes")
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes to kill in /proc")
@pytest.mark.skipif(not can_run(), reason="needs the programs of PostgreSQL and Redis")
@pytest.mark.skipif(
    "sqlite" not in os.environ.get("DATABASE_URL", "sqlite"), reason="has its own servers: once is enough"
)
def test_a_few_seconds_of_chaos_break_no_promise():
    command = [sys.executable, "-m", "chaos", "--short", "--seed", "7", "--only", "F6,F11", "--rate", "15"]
    # In a folder of its own making: PostgreSQL runs as another user, to whom pytest's folders are closed.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=MINUTES)

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Every invariant held, with seed 7" in done.stdout


class TestTheMailService:
    @pytest.fixture
    def service(self, tmp_path):
        service = MailService(free_port(), tmp_path / "mails.jsonl", random.Random(1))
        service.start()
        yield service
        service.stop()

    def send(self, service):
        mail = EmailMessage()
        mail["To"], mail["From"], mail["X-Send-Key"] = "ann@example.com", "shop@example.com", "rule:1"
        mail.set_content("Hello")
        with smtplib.SMTP("127.0.0.1", service.port, timeout=10) as client:
            client.send_message(mail)

    def noted(self, service):
        wait_until(lambda: bool(service.attempts), 10, "the attempt is noted")
        return [(one.to_email, one.send_key, one.ending) for one in service.attempts]

    def test_notes_what_it_took(self, service):
        self.send(service)

        assert self.noted(service) == [("ann@example.com", "rule:1", Ending.ACCEPTED)]

    def test_counts_a_mail_as_taken_that_it_did_not_say_it_took(self, service):
        service.temper = Temper(drops=1.0)

        with pytest.raises(smtplib.SMTPServerDisconnected):
            self.send(service)

        assert self.noted(service) == [("ann@example.com", "rule:1", Ending.ACCEPTED_UNSAID)]

    @pytest.mark.parametrize(
        ("temper", "code", "ending"),
        [
            (Temper(refuses=1.0), 550, Ending.REFUSED),
            (Temper(refuses_for_now=1.0), 451, Ending.REFUSED_FOR_NOW),
        ],
    )
    def test_notes_what_it_refused(self, service, temper, code, ending):
        service.temper = temper

        with pytest.raises(smtplib.SMTPDataError) as refusal:
            self.send(service)

        assert refusal.value.smtp_code == code
        assert self.noted(service) == [("ann@example.com", "rule:1", ending)]
