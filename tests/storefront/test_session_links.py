"""Links in mails that tie a browser to a profile: off by default, only where the shopper allows it, and reversible."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine

from signals_app.customers import services as customers
from signals_app.customers.constants import Evidence, Topic
from signals_app.customers.models import Consent, Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.emails import guards
from signals_app.emails import services as emails
from signals_app.emails.constants import MessagePurpose
from signals_app.emails.models import EmailMessage, EmailTemplate, SenderIdentity
from signals_app.projects.models import Project
from signals_app.storefront.models import Storefront
from tests.storefront.conftest import NOW, Call, people

pytestmark = pytest.mark.django_db

MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text><a href="https://shop.example.com/products/lamp?a=1&amp;b=2#top">Lamp</a>
<a href='https://www.instagram.com/shop'>Instagram</a></mj-text>
<mj-button href="{{ shop.url }}">Shop</mj-button>
<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ sender.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture(autouse=True)
def _at_now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def anna(project: Project) -> Customer:
    for topic in (Topic.MARKETING, Topic.TRACKING):
        customer = customers.record_consent(
            project=project,
            identifiers={"email": "anna@example.com"},
            topic=topic,
            granted=True,
            source="form",
            now=NOW,
        )
    return customer


@pytest.fixture
def send(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., EmailMessage]:
    """Send a mail to a shopper and return it as it left."""
    monkeypatch.setitem(guards._guards, MessagePurpose.REMARKETING, lambda request: guards.GuardVerdict(guards.SEND))
    SenderIdentity.objects.create(
        project=project, from_name="Nordlicht", from_email="hello@shop.example.com", postal_address="Kiel"
    )
    template = emails.save_template(EmailTemplate(project=project, name="Plain", subject="Hello", mjml=MJML))

    def send(customer: Customer, key: str = "1") -> EmailMessage:
        message = emails.queue_message(
            project=project,
            identifier=customer.identifiers.get(kind="email"),
            template=template,
            purpose=MessagePurpose.REMARKETING,
            send_key=key,
            context={},
            due_at=NOW,
            now=NOW,
        )
        emails.send_due(now=NOW)
        message.refresh_from_db()
        assert message.state == "sent"
        return message

    return send


@pytest.fixture
def session_links(storefront: Storefront) -> Storefront:
    storefront.has_session_links = True
    storefront.save()
    return storefront


def links(message: EmailMessage) -> list[str]:
    return [unescape(found) for found in re.findall(r"""<a[^>]*?href=["']([^"']*)["']""", message.html)]


def token_of(message: EmailMessage) -> str:
    found = re.search(r"ia_click=([^&#]+)", links(message)[0])
    assert found is not None
    return found[1]


class TestAMail:
    def test_has_plain_links_unless_the_store_switches_session_links_on(
        self, storefront: Storefront, send: Callable[..., EmailMessage], anna: Customer
    ) -> None:
        assert not storefront.has_session_links
        assert "ia_click" not in send(anna).html

    def test_to_a_shopper_without_tracking_consent_is_the_same_letter_by_letter(
        self, storefront: Storefront, send: Callable[..., EmailMessage], anna: Customer
    ) -> None:
        plain = send(anna, "1")
        Storefront.objects.update(has_session_links=True)
        Consent.objects.filter(topic=Topic.TRACKING).update(is_granted=False)
        refused = send(anna, "2")
        Consent.objects.filter(topic=Topic.TRACKING).delete()
        never_asked = send(anna, "3")

        def without_own_link(message: EmailMessage) -> tuple[str, str]:
            return tuple(re.sub(r"/e/u/[^\s\"<)]+", "/e/u/", text) for text in (message.html, message.text))  # type: ignore[return-value]

        assert without_own_link(plain) == without_own_link(refused) == without_own_link(never_asked)
        assert "ia_click" not in plain.html + refused.html + never_asked.html
        assert "<img" not in plain.html  # and no pixel that tells of an opening

    def test_says_in_links_to_the_shop_which_mail_it_is(
        self, session_links: Storefront, send: Callable[..., EmailMessage], anna: Customer
    ) -> None:
        message = send(anna)

        lamp, instagram, shop, unsubscribe = links(message)
        token = token_of(message)
        assert lamp == f"https://shop.example.com/products/lamp?a=1&b=2&ia_click={token}#top"
        assert shop == f"https://shop.example.com/?ia_click={token}"
        assert instagram == "https://www.instagram.com/shop"
        assert "ia_click" not in unsubscribe
        assert "anna" not in token
        assert f"?ia_click={token}" in message.text

    def test_leaves_links_to_ourselves_alone_even_at_the_shops_address(
        self, session_links: Storefront, send: Callable[..., EmailMessage], anna: Customer, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "https://shop.example.com"

        assert "ia_click" not in links(send(anna))[3]


class TestAClick:
    @pytest.fixture
    def token(self, session_links: Storefront, send: Callable[..., EmailMessage], anna: Customer) -> str:
        return token_of(send(anna))

    def test_ties_the_browser_to_the_profile_by_an_edge_of_its_own_kind(self, call: Call, token: str) -> None:
        response = call({"anonymous_id": "v-1", "click": token})

        assert (response.status_code, response.content) == (204, b"")
        assert people() == [[("anonymous_id", "v-1"), ("email", "anna@example.com")]]
        edge = IdentityEdge.objects.get()
        assert edge.evidence == Evidence.CLICK
        assert edge.reference == f"mail:{EmailMessage.objects.get().pk}"

    def test_brings_what_the_browser_had_seen_before(self, call: Call, token: str, project: Project) -> None:
        customers.identify(project=project, identifiers={"anonymous_id": "v-1", "session_id": "s-1"}, now=NOW)

        call({"anonymous_id": "v-1", "click": token})

        assert len(people()) == 1

    def test_in_the_browser_of_somebody_else_ties_nothing_and_troubles_nobody(
        self, call: Call, token: str, project: Project
    ) -> None:
        customers.identify(project=project, identifiers={"email": "ben@example.com", "anonymous_id": "v-1"}, now=NOW)
        before = people()

        assert call({"anonymous_id": "v-1", "click": token}).status_code == 204

        assert people() == before
        assert not IdentityConflict.objects.exists()

    def test_is_taken_back_by_taking_its_edge(self, call: Call, token: str) -> None:
        call({"anonymous_id": "v-1", "click": token})
        call({"anonymous_id": "v-2", "click": token})

        assert IdentityEdge.objects.filter(evidence=Evidence.CLICK).count() == IdentityEdge.objects.count() == 2

    def test_in_a_mail_that_is_passed_around_ties_three_browsers_at_most(self, call: Call, token: str) -> None:
        for number in range(5):
            call({"anonymous_id": f"v-{number}", "click": token})
        call({"anonymous_id": "v-1", "click": token})

        assert Identifier.objects.filter(kind="anonymous_id").count() == 3

    @pytest.mark.parametrize("days", [15, 400])
    def test_on_an_old_link_ties_nothing(self, call: Call, token: str, days: int) -> None:
        with time_machine.travel(NOW + timedelta(days=days), tick=False):
            assert call({"anonymous_id": "v-1", "click": token}).status_code == 204

        assert len(people()[0]) == 1

    def test_on_a_forged_link_or_without_a_visitor_ties_nothing(self, call: Call, token: str) -> None:
        for body in (
            {"anonymous_id": "v-1", "click": f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"},
            {"anonymous_id": "v-1", "click": "x"},
            {"anonymous_id": "v-1", "click": "x:y:z"},
            {"anonymous_id": "v-1", "click": "é" * 99},
            {"session_id": "s-1", "click": token},
        ):
            assert call(body).status_code == 204

        assert people() == [[("email", "anna@example.com")]]

    def test_after_the_shopper_or_the_store_thought_better_of_it_ties_nothing(
        self, call: Call, token: str, session_links: Storefront
    ) -> None:
        Consent.objects.filter(topic=Topic.TRACKING).update(is_granted=False)
        call({"anonymous_id": "v-1", "click": token})
        Consent.objects.filter(topic=Topic.TRACKING).update(is_granted=True)
        Storefront.objects.update(has_session_links=False)
        call({"anonymous_id": "v-1", "click": token})

        assert people() == [[("email", "anna@example.com")]]

    def test_in_another_store_ties_nothing(self, call: Call, token: str) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://shop.example.com")
        EmailMessage.objects.update(project=other)

        call({"anonymous_id": "v-1", "click": token})

        assert not Identifier.objects.filter(kind="anonymous_id").exists()

    def test_of_somebody_erased_ties_nothing(self, call: Call, token: str, anna: Customer) -> None:
        customers.erase_customer(customer=anna, now=NOW)

        assert call({"anonymous_id": "v-1", "click": token}).status_code == 204
        assert not Customer.objects.exists()
