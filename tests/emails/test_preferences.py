"""The page behind the unsubscribe link: GET shows, POST acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from signals_app.customers import services as customer_services
from signals_app.customers.models import Consent, ConsentChange
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.emails.models import EmailMessage, Suppression
from tests.emails.examples import NOW

Queue = Callable[..., EmailMessage]
Shopper = Callable[..., Any]


@pytest.fixture
def message(queue: Queue, shopper: Shopper) -> EmailMessage:
    message = queue(shopper())
    email_services.send_due(now=NOW)
    message.refresh_from_db()
    return message


@pytest.fixture
def address(message: EmailMessage) -> str:
    return f"/e/u/{email_services.unsubscribe_token(message)}"


@pytest.fixture
def strict() -> Client:
    return Client(enforce_csrf_checks=True)


def is_subscribed() -> bool:
    return Consent.objects.get().is_granted and not Suppression.objects.exists()


class TestGet:
    @pytest.mark.parametrize("method", ["get", "head"])
    def test_never_changes_anything(self, address: str, client: Client, method: str) -> None:
        for agent in ("Mozilla/5.0", "Barracuda Sentinel", "GoogleImageProxy"):
            response = getattr(client, method)(address, headers={"user-agent": agent})
            assert response.status_code == 200

        assert is_subscribed()
        assert ConsentChange.objects.count() == 1

    def test_shows_whose_mails_end_and_a_button(self, address: str, client: Client) -> None:
        page = client.get(address).content.decode()

        assert "anna@example.com" in page
        assert "Nordlicht Outdoor" in page
        assert '<button name="action" value="unsubscribe">' in page

    def test_is_locked_down(self, address: str, client: Client) -> None:
        response = client.get(address)

        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert f'nonce="{nonce}"' in response.content.decode()
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]
        assert "Set-Cookie" not in response

    def test_escapes_the_stores_name(self, address: str, client: Client, message: EmailMessage) -> None:
        message.project.name = "<script>alert(1)</script>"
        message.project.save()

        assert "<script>" not in client.get(address).content.decode()

    @pytest.mark.parametrize("method", ["put", "delete", "patch"])
    def test_other_methods_are_refused(self, address: str, client: Client, method: str) -> None:
        assert getattr(client, method)(address).status_code == 405
        assert is_subscribed()


class TestOneClick:
    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
            ("", "application/x-www-form-urlencoded"),
            ("", "text/plain"),
            (
                '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
                "multipart/form-data; boundary=x",
            ),
        ],
    )
    def test_unsubscribes_without_cookie_login_or_redirect(
        self, address: str, strict: Client, data: str, content_type: str
    ) -> None:
        response = strict.post(address, data=data, content_type=content_type)

        assert response.status_code == 200
        assert "Set-Cookie" not in response
        assert not Consent.objects.get().is_granted
        suppression = Suppression.objects.get()
        assert (suppression.email, suppression.reason) == ("anna@example.com", "unsubscribed")

    def test_twice_changes_nothing_the_second_time(self, address: str, strict: Client) -> None:
        answers = [strict.post(address, {"List-Unsubscribe": "One-Click"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert Suppression.objects.count() == 1
        assert ConsentChange.objects.filter(is_granted=False).count() == 1

    def test_is_a_no_also_for_an_address_that_bounced_before(
        self, address: str, strict: Client, message: EmailMessage
    ) -> None:
        email_services.suppress(
            project=message.project,
            email=message.to_email,
            reason=SuppressionReason.BOUNCED,
            source="test",
            now=NOW,
        )

        strict.post(address)

        assert not Consent.objects.get().is_granted
        assert Suppression.objects.get().reason == SuppressionReason.BOUNCED

    def test_no_mail_leaves_afterwards(self, address: str, strict: Client, queue: Queue, message: EmailMessage) -> None:
        waiting = queue(message.identifier.customer)
        strict.post(address)

        assert email_services.send_due(now=NOW).counts == {"suppressed": 1}
        waiting.refresh_from_db()
        assert waiting.reason == "SKIPPED_SUPPRESSED"

    def test_holds_for_a_mail_that_has_no_address_yet(self, queue: Queue, shopper: Shopper, strict: Client) -> None:
        message = queue(shopper("berta@example.com"))

        strict.post(f"/e/u/{email_services.unsubscribe_token(message)}")

        assert email_services.is_suppressed(project=message.project, email="berta@example.com")


class TestPage:
    def test_its_button_unsubscribes_and_offers_to_undo(self, address: str, strict: Client) -> None:
        page = strict.post(address, {"action": "unsubscribe"}).content.decode()

        assert not is_subscribed()
        assert "You are unsubscribed" in page
        assert 'value="undo"' in page

    def test_undo_takes_it_back(self, address: str, strict: Client, message: EmailMessage) -> None:
        token = email_services.unsubscribe_token(message)
        strict.post(address, {"action": "unsubscribe"})

        page = strict.post(address, {"action": "undo", "undo": email_services.undo_token(token=token)})

        assert "Welcome back" in page.content.decode()
        assert is_subscribed()

    def test_undo_needs_the_page_that_was_just_shown(self, address: str, strict: Client, message: EmailMessage) -> None:
        strict.post(address, {"action": "unsubscribe"})

        assert strict.post(address, {"action": "undo"}).status_code == 404
        assert strict.post(address, {"action": "undo", "undo": "made:up:token"}).status_code == 404
        other = email_services.undo_token(token="another")
        assert strict.post(address, {"action": "undo", "undo": other}).status_code == 404
        assert not is_subscribed()

    def test_undo_is_over_after_an_hour(self, address: str, strict: Client, message: EmailMessage) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            strict.post(address, {"action": "unsubscribe"})
            undo = email_services.undo_token(token=email_services.unsubscribe_token(message))
            clock.shift(timedelta(hours=1, seconds=1))

            assert strict.post(address, {"action": "undo", "undo": undo}).status_code == 404
        assert not is_subscribed()

    def test_undo_does_not_lift_a_bounce(self, address: str, strict: Client, message: EmailMessage) -> None:
        email_services.suppress(
            project=message.project,
            email=message.to_email,
            reason=SuppressionReason.BOUNCED,
            source="test",
            now=NOW,
        )
        undo = email_services.undo_token(token=email_services.unsubscribe_token(message))

        page = strict.post(address, {"action": "undo", "undo": undo}).content.decode()

        assert "Welcome back" not in page
        assert Suppression.objects.count() == 1

    def test_says_so_when_somebody_is_unsubscribed_already(self, address: str, strict: Client) -> None:
        strict.post(address)

        page = strict.get(address).content.decode()

        assert "nothing left to do" in page
        assert "<button" not in page


class TestUnknownLink:
    @pytest.mark.parametrize("token", ["x", "x:y", "a" * 500, "preview:forged", "%00", "..%2f..%2fadmin", "é"])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_gives_a_page_and_does_nothing(self, db: None, client: Client, token: str, method: str) -> None:
        response = getattr(client, method)(f"/e/u/{token}")

        assert response.status_code == 404

    def test_any_changed_letter_makes_it_unknown(self, address: str, client: Client) -> None:
        for position in range(len("/e/u/"), len(address), 7):
            letter = "A" if address[position] != "A" else "B"
            changed = address[:position] + letter + address[position + 1 :]
            assert client.post(changed).status_code == 404
        assert is_subscribed()

    def test_a_mail_that_was_erased_is_unknown(self, address: str, client: Client, message: EmailMessage) -> None:
        message.delete()

        assert client.get(address).status_code == 404

    def test_so_is_one_whose_shopper_is_being_erased(self, address: str, client: Client, message: EmailMessage) -> None:
        customer_services.begin_erasure(customer=message.identifier.customer, now=NOW)

        assert client.get(address).status_code == 404
        assert client.post(address).status_code == 404

    def test_the_link_of_a_test_mail_says_what_it_is(self, db: None, client: Client) -> None:
        address = f"/e/u/{email_services.unsubscribe_token(None)}"

        assert "test mail" in client.get(address).content.decode()
        assert client.post(address).status_code == 200
