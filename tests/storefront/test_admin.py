"""The page of the identity kit: settings, snippets to copy, and a secret that only some may see."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from liquid import Environment

from signals_app.customers import services as customers
from signals_app.customers.constants import Evidence
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.storefront import services
from signals_app.storefront.constants import ConsentMode
from signals_app.storefront.models import Storefront
from signals_app.storefront.proofs import proof_of
from signals_app.storefront.snippets import SCRIPT, html_snippet, pixel_snippet, theme_snippet
from tests.storefront.conftest import NOW, Call, people

LIST = "/admin/storefront/storefront/"
SignIn = Callable[..., Client]
pytestmark = pytest.mark.django_db


def page(storefront: Storefront) -> str:
    return f"{LIST}{storefront.pk}/change/"


def settings_of(storefront: Storefront | None = None, **changes: Any) -> dict[str, Any]:
    values = {
        "is_enabled": "on",
        "allowed_origins": "https://shop.example.com",
        "consent_mode": "BANNER",
        **dict.fromkeys(("consent_check", "consent_event", "visitor_global", "visitor_cookie", "visitor_storage"), ""),
    }
    return values | changes


class TestTheSettings:
    def test_begin_with_the_shops_own_address(self, project: Project, sign_in: SignIn) -> None:
        browser = sign_in(Role.OWNER)
        form = browser.get(f"{LIST}add/").content.decode()
        assert "https://shop.example.com" in form

        response = browser.post(
            f"{LIST}add/",
            settings_of(allowed_origins="https://shop.example.com/de/\nHTTPS://WWW.shop.example.com\n"),
        )

        assert response.status_code == 302, response.content.decode()
        storefront = Storefront.objects.get()
        assert storefront.project == project
        assert storefront.allowed_origins == ["https://shop.example.com", "https://www.shop.example.com"]
        assert not storefront.has_session_links
        assert browser.get(LIST)["Location"] == page(storefront)

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"allowed_origins": "http://shop.example.com"}, "needs https"),
            ({"allowed_origins": "https://*.example.com"}, "is not an address such as"),
            ({"allowed_origins": ""}, "This field is required"),
            ({"consent_check": "alert(1)"}, "Enter a name as JavaScript has it"),
            ({"visitor_cookie": "a;b"}, "Enter the name of a cookie"),
            ({"visitor_storage": "a'b"}, "Enter the key of an entry"),
            ({"consent_event": "a b"}, "Enter the name of an event"),
        ],
    )
    def test_say_what_cannot_be_used(
        self, storefront: Storefront, sign_in: SignIn, changes: dict[str, str], complaint: str
    ) -> None:
        response = sign_in(Role.OWNER).post(page(storefront), settings_of(**changes))

        assert complaint in unescape(response.content.decode())
        before = Storefront.objects.get()
        assert before.allowed_origins == storefront.allowed_origins

    def test_can_be_changed_by_owner_and_operator_and_seen_by_all(
        self, storefront: Storefront, sign_in: SignIn
    ) -> None:
        for role in Role:
            browser = sign_in(role)
            assert browser.get(page(storefront)).status_code == 200
            status = browser.post(page(storefront), settings_of(has_session_links="on")).status_code
            assert status == (302 if role in (Role.OWNER, Role.OPERATOR) else 403)

    def test_of_another_store_are_not_there(self, storefront: Storefront, sign_in: SignIn) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
        browser = sign_in(Role.OWNER, other)

        assert browser.get(page(storefront)).status_code == 404
        assert browser.post(f"{LIST}{storefront.pk}/secret/").status_code == 404

    def test_show_what_came_of_calls(self, storefront: Storefront, call: Call, sign_in: SignIn) -> None:
        call({"anonymous_id": "v-1", "email": "anna@example.com"})
        call({"email": "anna@example.com", "proof": "00"})

        shown = sign_in().get(page(storefront)).content.decode()

        assert "E-mail given without proof" in shown
        assert "Wrong proof" in shown
        assert "anna@example.com" not in shown


class TestTheSecret:
    def test_is_shown_on_demand_to_owner_and_operator_alone(self, storefront: Storefront, sign_in: SignIn) -> None:
        for role in Role:
            browser = sign_in(role)
            assert storefront.proof_secret not in browser.get(page(storefront)).content.decode()
            assert browser.get(f"{LIST}{storefront.pk}/secret/").status_code == 403
            response = browser.post(f"{LIST}{storefront.pk}/secret/")
            if role in (Role.OWNER, Role.OPERATOR):
                shown = response.content.decode()
                assert shown.count(storefront.proof_secret) == 2
                assert proof_of(storefront.proof_secret, "shopper@example.com") in shown
                assert "no-store" in response["Cache-Control"]
            else:
                assert response.status_code == 403

    def test_is_encrypted_in_the_database(self, storefront: Storefront) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT proof_secret FROM storefront_storefront")
            assert storefront.proof_secret not in str(cursor.fetchone())

    def test_can_be_renewed_after_a_question(self, storefront: Storefront, sign_in: SignIn) -> None:
        browser = sign_in(Role.OPERATOR)
        old = storefront.proof_secret
        url = f"{LIST}{storefront.pk}/new_secret/"
        assert "seven days more" in browser.get(url).content.decode()
        assert Storefront.objects.get().proof_secret == old

        browser.post(url)

        renewed = Storefront.objects.get()
        assert renewed.previous_secret == old != renewed.proof_secret
        assert "Proofs made with the secret before" in browser.get(page(renewed)).content.decode()
        assert sign_in(Role.MARKETER).post(url).status_code == 403


class TestSessionLinks:
    def test_are_taken_back_as_a_whole(self, storefront: Storefront, sign_in: SignIn) -> None:
        url, marketer = f"{LIST}{storefront.pk}/undo_session_links/", sign_in(Role.MARKETER)
        assert url not in marketer.get(page(storefront)).content.decode()
        clicked = {"email": "ada@example.com", "anonymous_id": "borrowed"}
        sighting = customers.Sighting("mail:1", clicked, evidence=Evidence.CLICK)
        customers.resolve(project=storefront.project, sightings=[sighting], now=NOW)
        assert url in marketer.get(page(storefront)).content.decode()
        assert "Ties that something else shows stay" in marketer.get(url).content.decode()
        assert sign_in(Role.OPERATOR).post(url).status_code == 403

        marketer.post(url)
        customers.continue_removals(now=NOW)

        assert people() == [[("anonymous_id", "borrowed")], [("email", "ada@example.com")]]


class TestTheSnippets:
    def test_of_the_script_is_small_and_versioned(self) -> None:
        path = finders.find(SCRIPT)

        assert isinstance(path, str)
        assert re.search(r"-\d+\.js$", path)
        assert len(Path(path).read_bytes()) < 3_000

    @pytest.mark.parametrize(
        ("mode", "check", "expected"),
        [
            (ConsentMode.BANNER, "", None),
            (ConsentMode.BANNER, "Cookiebot.consent.marketing", "Cookiebot.consent.marketing"),
            (ConsentMode.SHOPIFY, "ignored", None),
            (ConsentMode.LOADED_AFTER, "", "given"),
        ],
    )
    def test_for_any_shop_waits_for_consent_as_chosen(
        self, storefront: Storefront, mode: ConsentMode, check: str, expected: str | None
    ) -> None:
        storefront.consent_mode, storefront.consent_check, storefront.consent_event = mode, check, "answered"

        text = html_snippet(storefront).text

        found = re.search(r'data-consent="([^"]*)"', text)
        assert (found[1] if found else None) == expected
        assert ("data-consent-event" in text) == (expected is not None and expected != "given")
        assert storefront.public_key in text

    def test_for_a_theme_computes_proofs_that_count(self, storefront: Storefront, call: Call) -> None:
        storefront.visitor_cookie = "_visitor"
        attributes = rendered(storefront, {"id": 10042, "email": "Anna@Example.com"})

        assert attributes["data-visitor-cookie"] == "_visitor"
        assert attributes["data-email"] == "anna@example.com"
        response = call(
            {
                "external_id": attributes["data-external-id"],
                "external_id_proof": attributes["data-external-id-proof"],
                "email": attributes["data-email"],
                "proof": attributes["data-proof"],
            }
        )
        assert response.status_code == 204

    def test_for_a_theme_says_nothing_of_who_is_not_logged_in_and_escapes_who_is(self, storefront: Storefront) -> None:
        assert not {"data-email", "data-proof", "data-external-id"} & rendered(storefront, None).keys()
        without_email = rendered(storefront, {"id": 1, "email": None})
        assert "data-external-id-proof" in without_email
        assert not {"data-email", "data-proof"} & without_email.keys()
        hostile = rendered(storefront, {"id": 1, "email": '"><script>@example.com'})
        assert hostile["data-email"] == "&quot;&gt;&lt;script&gt;@example.com"

    def test_for_customer_events_holds_settings_as_javascript_reads_them(self, storefront: Storefront) -> None:
        storefront.visitor_storage = "visitor/id"

        text = pixel_snippet(storefront).text

        found = re.search(r"const kit = \{ url: (.*), cookie: (.*), storage: (.*) \};", text)
        assert found is not None
        assert [json.loads(value) for value in found.groups()][1:] == ["", "visitor/id"]
        assert "__" not in text

    def test_hold_no_secret_unless_it_is_given(self, storefront: Storefront) -> None:
        assert storefront.proof_secret not in theme_snippet(storefront).text


def rendered(storefront: Storefront, customer: dict[str, Any] | None) -> dict[str, str]:
    """Return the attributes of the script's tag as Shopify would write them."""
    environment = Environment()
    environment.filters["hmac_sha256"] = lambda text, secret: hmac.new(
        str(secret).encode(), str(text).encode(), hashlib.sha256
    ).hexdigest()
    template = environment.from_string(theme_snippet(storefront, secret=storefront.proof_secret).text)
    html = template.render(customer=customer)
    assert storefront.proof_secret not in html
    tag = html[html.rindex("<script async") :]
    return dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))


def test_a_store_is_set_up_once(project: Project) -> None:
    first = services.set_up(project=project, origins=["https://www.shop.example.com"])
    again = services.set_up(project=project)

    assert first == again
    assert first.allowed_origins == ["https://shop.example.com", "https://www.shop.example.com"]
