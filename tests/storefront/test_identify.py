"""What a page of a shop may say about its visitor, and what it is told: nothing about anybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from signals_app.customers import services as customers
from signals_app.customers.models import Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.projects.models import Project
from signals_app.storefront import services
from signals_app.storefront.constants import MAX_BODY_BYTES, Outcome
from signals_app.storefront.models import CallWindow, EmailClaim, HourlyCalls, Storefront
from signals_app.storefront.proofs import proof_of
from tests.storefront.conftest import NOW, ORIGIN, Call, people

Prove = Callable[[str], str]
pytestmark = pytest.mark.django_db


def assert_says_nothing(response: Any) -> None:
    assert (response.status_code, response.content) == (204, b"")
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in response
    assert not response.cookies


class TestAProof:
    def test_of_an_email_makes_the_visitor_known(self, call: Call, prove: Prove) -> None:
        response = call(
            {
                "anonymous_id": "v-1",
                "session_id": "s-1",
                "email": "Anna@Example.com",
                "proof": prove("anna@example.com"),
            }
        )

        assert_says_nothing(response)
        assert people() == [[("anonymous_id", "v-1"), ("email", "anna@example.com"), ("session_id", "s-1")]]
        assert HourlyCalls.objects.get().outcome == Outcome.PROVEN

    def test_brings_the_history_of_the_browser_to_whom_it_proves(
        self, call: Call, prove: Prove, project: Project
    ) -> None:
        anna = customers.identify(project=project, identifiers={"email": "anna@example.com"}, now=NOW).customer
        customers.identify(project=project, identifiers={"anonymous_id": "v-1"}, now=NOW)

        assert_says_nothing(
            call({"anonymous_id": "v-1", "email": "anna@example.com", "proof": prove("anna@example.com")})
        )

        assert Identifier.objects.get(kind="anonymous_id").customer == anna
        assert IdentityEdge.objects.get().evidence == "IDENTIFY"

    def test_of_a_customer_id_proves_that_and_not_the_email_beside_it(self, call: Call, prove: Prove) -> None:
        call({"anonymous_id": "v-1", "external_id": 10042, "proof": prove("10042"), "email": "anna@example.com"})

        assert people() == [[("anonymous_id", "v-1"), ("external_id", "10042")]]
        assert not EmailClaim.objects.exists()

    def test_of_both_proves_both(self, call: Call, prove: Prove) -> None:
        call(
            {
                "external_id": "10042",
                "external_id_proof": prove("10042"),
                "email": "anna@example.com",
                "proof": prove("anna@example.com").upper(),
            }
        )

        assert people() == [[("email", "anna@example.com"), ("external_id", "10042")]]

    @pytest.mark.parametrize(
        "body",
        [
            {"anonymous_id": "v-1", "email": "anna@example.com", "proof": "0" * 64},
            {"anonymous_id": "v-1", "email": "anna@example.com", "proof": "ä"},
            {"anonymous_id": "v-1", "external_id": "7", "external_id_proof": "0" * 64},
            {"anonymous_id": "v-1", "email": "anna@example.com", "external_id_proof": "0" * 64},
        ],
    )
    def test_that_is_wrong_is_said_to_be_and_writes_nothing(self, call: Call, body: dict[str, Any]) -> None:
        response = call(body)

        assert (response.status_code, response.json()["code"]) == (400, "wrong_proof")
        assert response["Access-Control-Allow-Origin"] == ORIGIN
        assert not Customer.objects.exists()
        assert not EmailClaim.objects.exists()

    def test_of_another_store_proves_nothing_here(self, call: Call, storefront: Storefront) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://shop.example.com")
        secret = services.set_up(project=other).proof_secret

        response = call({"email": "anna@example.com", "proof": proof_of(secret, "anna@example.com")})

        assert response.json()["code"] == "wrong_proof"

    def test_is_answered_alike_whether_the_shopper_exists_or_not_or_was_erased(
        self, call: Call, prove: Prove, project: Project
    ) -> None:
        body = {"email": "anna@example.com", "proof": prove("anna@example.com")}
        with time_machine.travel(NOW, tick=False):
            first = call(body)
            known = call(body)
            customers.erase_customer(customer=Customer.objects.get(), now=NOW)
            erased = call(body)
            nobody = call({"anonymous_id": "v-1"})

        answers = [(each.status_code, each.content, dict(each.headers)) for each in (first, known, erased, nobody)]
        assert all(answer == answers[0] for answer in answers)
        assert not Customer.objects.exists()

    def test_leaves_two_known_shoppers_apart_for_a_person_to_decide(
        self, call: Call, prove: Prove, project: Project
    ) -> None:
        customers.identify(project=project, identifiers={"email": "ben@example.com", "anonymous_id": "v-1"}, now=NOW)

        assert_says_nothing(
            call({"anonymous_id": "v-1", "email": "anna@example.com", "proof": prove("anna@example.com")})
        )

        assert len(people()) == 2
        assert IdentityConflict.objects.count() == 1

    def test_by_the_secret_before_holds_for_a_week(self, call: Call, storefront: Storefront, prove: Prove) -> None:
        old = prove("anna@example.com")
        with time_machine.travel(NOW, tick=False):
            services.renew_secret(storefront=storefront, now=NOW)
            assert_says_nothing(call({"email": "anna@example.com", "proof": old}))
        with time_machine.travel(NOW + timedelta(days=8), tick=False):
            assert call({"email": "anna@example.com", "proof": old}).json()["code"] == "wrong_proof"


class TestAnEmailWithoutProof:
    def test_makes_nobody_known_and_is_kept_beside_the_visitor(self, call: Call) -> None:
        assert_says_nothing(call({"anonymous_id": "v-1", "email": "Anna@Example.com"}))
        assert_says_nothing(call({"anonymous_id": "v-1", "email": "anna@example.org"}))

        assert people() == [[("anonymous_id", "v-1")]]
        claim = EmailClaim.objects.select_related("identifier__customer").get()
        assert (claim.email, claim.identifier.value) == ("anna@example.org", "v-1")
        customer = claim.identifier.customer
        assert (customer.email, customer.attributes) == ("", {})
        entry = next(one for one in customers.timeline(customer=customer) if "without proof" in one.title)
        assert "anna@example.org" in entry.detail

    def test_never_touches_the_profile_that_has_the_address(self, call: Call, project: Project) -> None:
        anna = customers.identify(project=project, identifiers={"email": "anna@example.com"}, now=NOW).customer

        call({"anonymous_id": "v-1", "session_id": "s-1", "email": "anna@example.com"})

        assert people() == [[("anonymous_id", "v-1"), ("session_id", "s-1")], [("email", "anna@example.com")]]
        anna.refresh_from_db()
        assert anna.last_seen_at == NOW
        assert not IdentityConflict.objects.exists()

    def test_says_nothing_about_a_visitor_who_is_known(self, call: Call, project: Project) -> None:
        customers.identify(project=project, identifiers={"email": "anna@example.com", "anonymous_id": "v-1"}, now=NOW)

        assert_says_nothing(call({"anonymous_id": "v-1", "email": "mallory@example.com"}))

        assert not EmailClaim.objects.exists()

    def test_is_forgotten_when_the_visitor_proves_who_they_are(self, call: Call, prove: Prove) -> None:
        call({"anonymous_id": "v-1", "email": "mallory@example.com"})
        call({"anonymous_id": "v-1", "email": "anna@example.com", "proof": prove("anna@example.com")})

        assert not EmailClaim.objects.exists()

    def test_goes_when_the_owner_of_the_address_is_erased_and_does_not_come_back(
        self, call: Call, project: Project
    ) -> None:
        anna = customers.identify(project=project, identifiers={"email": "anna@example.com"}, now=NOW).customer
        call({"anonymous_id": "v-1", "email": "anna@example.com"})

        report = customers.erase_customer(customer=anna, now=NOW)
        call({"anonymous_id": "v-2", "email": "anna@example.com"})

        assert report["storefront"] == 1
        assert not EmailClaim.objects.exists()

    def test_is_exported_and_erased_with_the_visitor(self, call: Call) -> None:
        call({"anonymous_id": "v-1", "email": "anna@example.com"})
        visitor = Customer.objects.get()

        exported = customers.export_customer(customer=visitor)["storefront"]["unproven_emails"]

        assert [row["email"] for row in exported] == ["anna@example.com"]
        assert customers.erase_customer(customer=visitor, now=NOW)["storefront"] == 1

    def test_without_a_visitor_says_nothing(self, call: Call) -> None:
        assert_says_nothing(call({"email": "anna@example.com"}))
        assert_says_nothing(call({"anonymous_id": "v-1"}))

        assert not Customer.objects.exists()
        assert HourlyCalls.objects.get().count == 2

    def test_a_visitor_and_a_visit_are_tied(self, call: Call) -> None:
        assert_says_nothing(call({"anonymous_id": "v-1", "session_id": "s-1", "external_id": "10042"}))

        assert people() == [[("anonymous_id", "v-1"), ("session_id", "s-1")]]


class TestAnOrigin:
    def test_of_the_shop_may_ask_before_and_then_call(self, call: Call) -> None:
        asked = call(b"", method="OPTIONS", headers={"access-control-request-method": "POST"})

        assert asked.status_code == 204
        assert asked["Access-Control-Allow-Origin"] == ORIGIN
        assert asked["Access-Control-Allow-Methods"] == "POST"
        assert asked["Vary"] == "Origin"

    @pytest.mark.parametrize("method", ["OPTIONS", "POST"])
    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "https://shop.example.com.evil.example",
            "http://shop.example.com",
            "https://SHOP.example.com",
            "https://shop.example.com:8443",
            "https://shop.example.com/",
            "null",
            "",
            None,
        ],
    )
    def test_of_somebody_else_is_refused_and_nothing_is_written(
        self, call: Call, prove: Prove, origin: str | None, method: str
    ) -> None:
        body = {"anonymous_id": "v-1", "email": "anna@example.com", "proof": prove("anna@example.com")}

        response = call(body, origin=origin, method=method)

        assert (response.status_code, response.json()["code"]) == (403, "foreign_origin")
        assert "Access-Control-Allow-Origin" not in response
        assert not Customer.objects.exists()
        assert not HourlyCalls.objects.exists()
        assert not CallWindow.objects.exists()

    def test_of_no_name_may_be_a_shopify_pixel_where_the_store_says_so(
        self, call: Call, storefront: Storefront
    ) -> None:
        Storefront.objects.update(accepts_pixel=True)

        response = call({"anonymous_id": "v-1", "email": "anna@example.com"}, origin="null")

        assert (response.status_code, response["Access-Control-Allow-Origin"]) == (204, "null")
        assert EmailClaim.objects.count() == 1

    def test_of_one_store_opens_no_other(self, call: Call) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")
        key = services.set_up(project=other).public_key

        assert call({"anonymous_id": "v-1"}, key=key).status_code == 403

    @pytest.mark.parametrize("key", ["pk_000000000000000000000000", "nonsense", "pk_%00", "%F0%9F%98%80"])
    def test_key_that_nobody_has_is_not_found(self, call: Call, key: str) -> None:
        response = call({"anonymous_id": "v-1"}, key=key)

        assert (response.status_code, response.json()["code"]) == (404, "unknown_key")

    def test_switched_off_is_like_not_there(self, call: Call) -> None:
        unknown = call({"anonymous_id": "v-1"}, key="nonsense")
        Storefront.objects.update(is_enabled=False)

        assert call({"anonymous_id": "v-1"}).content == unknown.content


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"anonymous_id": "v" * 400}, "anonymous_id"),
            ({"anonymous_id": "v-1", "email": "anna"}, "email"),
            ({"anonymous_id": "v-1", "email": 12}, "email"),
            ({"anonymous_id": "v-1", "email": f"{'a' * 300}@example.com"}, "email"),
            ({"anonymous_id": True}, "anonymous_id"),
            ({"anonymous_id": ["v-1"]}, "anonymous_id"),
            ({"anonymous_id": 1.5}, "anonymous_id"),
            ({"anonymous_id": "undefined"}, "anonymous_id"),
            ({"anonymous_id": "v\x001"}, "anonymous_id"),
            ({"anonymous_id": "v-1", "session_id": "s" * 256, "email": "anna@example.com"}, "session_id"),
            ({"e_mail": "anna@example.com"}, "e_mail"),
            ({"anonymous_id": "v-1", "proof": 7, "email": "anna@example.com"}, "proof"),
            ({"anonymous_id": "v-1", "proof": "00"}, "proof"),
            ({"click": "x" * 1_000, "anonymous_id": "v-1"}, "click"),
            ({}, None),
            (b"", None),
            (b"not json", None),
            (b"[1]", None),
            (b'{"anonymous_id": NaN}', None),
            (b"\xff\xfe", None),
            (b"[" * 4_000, None),
        ],
    )
    def test_is_named_and_leaves_nothing_half_written(self, call: Call, body: Any, field: str | None) -> None:
        response = call(body)

        assert response.status_code == 400
        assert response.json()["code"] in {"invalid", "not_json"}
        assert response.json().get("field") == field
        assert not Customer.objects.exists()
        assert not EmailClaim.objects.exists()

    def test_a_number_is_an_id_like_its_digits(self, call: Call) -> None:
        call({"anonymous_id": 12, "session_id": 7})

        assert people() == [[("anonymous_id", "12"), ("session_id", "7")]]

    def test_too_large_is_refused_by_its_length_or_when_read(self, call: Call) -> None:
        response = call(b'{"anonymous_id": "' + b"v" * MAX_BODY_BYTES + b'"}')

        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert not CallWindow.objects.exists()

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
    def test_other_methods_are_not_there(self, call: Call, method: str) -> None:
        response = call(b"", method=method)

        assert response.status_code == 405
        assert response["Allow"] == "POST, OPTIONS"

    def test_no_csrf_token_is_asked_for_and_no_session_begun(self, storefront: Storefront) -> None:
        browser = Client(enforce_csrf_checks=True)

        response = browser.post(
            f"/t/{storefront.public_key}/identify/",
            data='{"anonymous_id": "v-1", "session_id": "s-1"}',
            content_type="text/plain",
            headers={"origin": ORIGIN},
        )

        assert_says_nothing(response)


class TestTooManyCalls:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services.throttling, "CALLS_PER_ADDRESS", 3)
        monkeypatch.setattr(services.throttling, "CALLS_PER_STOREFRONT", 5)

    def test_from_an_address_wait_for_the_next_minute(self, call: Call) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            answers = [call({"anonymous_id": "v-1"}).status_code for _ in range(5)]
            refused = call({"anonymous_id": "v-2", "session_id": "s-2"})
            clock.shift(60)
            later = call({"anonymous_id": "v-3"})

        assert answers == [204, 204, 204, 429, 429]
        assert (refused.json()["code"], refused["Retry-After"]) == ("throttled", "60")
        assert refused["Access-Control-Allow-Origin"] == ORIGIN
        assert later.status_code == 204
        assert not Customer.objects.exists()

    def test_from_everywhere_wait_too_and_addresses_are_not_kept(self, call: Call) -> None:
        with time_machine.travel(NOW, tick=False):
            answers = [
                call({"anonymous_id": "v-1"}, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(8)
            ]

        assert answers == [204] * 5 + [429] * 3
        assert CallWindow.objects.filter(slot=-1).count() == 1
        assert not any("192.0.2" in str(row) for row in CallWindow.objects.values())

    def test_of_a_full_slot_ask_the_database_no_more(
        self, call: Call, django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        with time_machine.travel(NOW, tick=False):
            for _ in range(4):
                call({"anonymous_id": "v-1"})
            with django_assert_num_queries(1):  # which storefront it is
                assert call({"anonymous_id": "v-1"}).status_code == 429

    def test_a_household_counts_as_one_and_what_a_visitor_claims_of_a_proxy_does_not_count(
        self, call: Call, settings: Any
    ) -> None:
        with time_machine.travel(NOW, tick=False):
            for number in range(4):
                call({"anonymous_id": "v-1"}, REMOTE_ADDR=f"2001:db8:0:7::{number}")
            assert call({"anonymous_id": "v-1"}, REMOTE_ADDR="2001:db8:0:7::99").status_code == 429
        with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
            for number in range(4):
                last = call({"anonymous_id": "v-1"}, headers={"x-forwarded-for": f"192.0.2.{number}"})
            assert last.status_code == 429
        settings.BEHIND_TLS_PROXY = True
        with time_machine.travel(NOW + timedelta(minutes=2), tick=False):
            for number in range(4):
                last = call({"anonymous_id": "v-1"}, headers={"x-forwarded-for": f"192.0.2.{number}"})
            assert last.status_code == 204


def test_old_claims_and_counts_are_deleted_by_retention(call: Call) -> None:
    from insightarc_crm import retention

    with time_machine.travel(NOW, tick=False):
        call({"anonymous_id": "v-1", "email": "anna@example.com"})
    assert retention.count_all(now=NOW + timedelta(days=89))["unproven e-mail addresses"] == 0

    counts, is_all = retention.prune_all(now=NOW + timedelta(days=500), seconds=20)

    assert is_all
    assert counts["unproven e-mail addresses"] == 1
    assert counts["hourly counts of calls from shops' pages"] == 1
    assert not EmailClaim.objects.exists()
