"""What programs tell us: identity, consent, orders, suppressions."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from insightarc_crm.tasks import prune
from signals_app.api.models import IdempotentRequest
from signals_app.customers.models import ConsentChange, Customer, Order
from signals_app.emails.models import Suppression
from signals_app.projects import services as project_services
from signals_app.projects.models import Project

ADA = {"external_id": "ada", "email": "ada@example.com"}
ORDER = ADA | {"order_id": "R-1", "total": "59.90", "currency": "EUR", "placed_at": "2026-11-24T12:00:00Z"}
CONSENT = ADA | {"channel": "email", "granted": True, "source": "newsletter form"}


class TestIdentify:
    def test_creates_links_and_sees_conflicts(self, project: Project, api: Callable[..., Any]) -> None:
        first = api("post", "identify/", {"anonymous_id": "b", "external_id": 7, "timezone": "Europe/Berlin"})
        second = api("post", "identify/", {"external_id": "7", "email": "A@Example.com", "attributes": {"name": "Ada"}})
        api("post", "identify/", {"external_id": "8"})
        third = api("post", "identify/", {"external_id": "8", "email": "a@example.com"})

        assert [answer.status_code for answer in (first, second, third)] == [200, 200, 200]
        assert [answer.json()["status"] for answer in (first, second, third)] == ["created", "linked", "conflict"]
        assert first.json()["customer"] == second.json()["customer"] != third.json()["customer"]
        shown = api("get", f"customers/{first.json()['customer']}/").json()
        assert (shown["name"], shown["email"], shown["time_zone"]) == ("Ada", "a@example.com", "Europe/Berlin")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "identifiers"),
            ({"email": None, "external_id": ""}, "identifiers"),
            ({"email": "nonsense"}, "email"),
            ({"email": ["a@example.com"]}, "email"),
            ({"external_id": True}, "external_id"),
            ({"external_id": {"a": 1}}, "external_id"),
            ({"external_id": 10**400}, "external_id"),
            ({"anonymous_id": "undefined"}, "anonymous_id"),
            ({"anonymous_id": "x" * 256}, "anonymous_id"),
            ({"user_id": "1"}, "user_id"),
            ({"external_id": "1", "timezone": "Mars"}, "timezone"),
            ({"external_id": "1", "timezone": 1}, "timezone"),
            ({"external_id": "1", "attributes": {"time_zone": "x" * 100}}, "timezone"),
            ({"external_id": "1", "attributes": {"time_zone": ["x"]}}, "timezone"),
            ({"external_id": "1", "attributes": []}, "attributes"),
            ({"external_id": "1", "attributes": {"a": "\0"}}, "attributes"),
            ({"external_id": "1", "attributes": {"a": 2**70}}, "attributes"),
            ({"external_id": "1", "attributes": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}, "attributes"),
            ({"external_id": "1", "attributes": {str(n): n for n in range(101)}}, "attributes"),
        ],
    )
    def test_names_what_it_cannot_use(
        self, body: dict[str, Any], field: str, project: Project, api: Callable[..., Any]
    ) -> None:
        answer = api("post", "identify/", body)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert not Customer.objects.exists()


class TestABody:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"nonsense", 400),
            (b"[]", 400),
            (b'"text"', 400),
            (b"null", 400),
            (b'{"external_id": NaN}', 400),
            (b'{"external_id": "1", "attributes": {"a": 1e400}}', 400),
            (b'{"external_id": "1", "attributes": {"a": "\\ud800"}}', 400),
            (b'{"external_id": "\\ud800"}', 400),
            (b'{"\\ud800": 1}', 400),
            (b'{"external_id": "\xff"}', 400),
            (b"[" * 100_000, 400),
            (b'{"external_id": "' + b"x" * 1_100_000 + b'"}', 413),
            (b'\xef\xbb\xbf{"external_id": "1"}', 200),
        ],
    )
    def test_of_any_kind_is_answered(
        self, body: bytes, status: int, project: Project, client: Client, api_key: str
    ) -> None:
        answer = client.generic(
            "POST", "/api/v1/identify/", body, "application/json", headers={"authorization": f"Bearer {api_key}"}
        )

        assert answer.status_code == status, answer.content
        assert status == 200 or set(answer.json()) == {"code", "detail", "errors"}

    def test_of_another_type_is_refused(self, project: Project, client: Client, api_key: str) -> None:
        answer = client.post("/api/v1/identify/", ADA, headers={"authorization": f"Bearer {api_key}"})

        assert answer.status_code == 415


class TestConsent:
    def test_is_recorded_and_shown(self, project: Project, api: Callable[..., Any]) -> None:
        answer = api(
            "post", "consent/", CONSENT | {"occurred_at": "2026-11-01T10:00:00+01:00", "wording": "Yes, mail me."}
        )

        assert answer.status_code == 200
        shown = api("get", f"customers/{answer.json()['customer']}/").json()
        assert answer.json() == {
            "customer": shown["id"],
            "channel": "email",
            "topic": "marketing",
            "granted": True,
        }
        assert shown["consent"] == {"email": {"marketing": True}}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"granted": "maybe"}, "granted"),
            ({"granted": None}, "granted"),
            ({"channel": "pigeon"}, "channel"),
            ({"topic": "x"}, "topic"),
            ({"source": ""}, "source"),
            ({"source": "x" * 101}, "source"),
            ({"occurred_at": "yesterday"}, "occurred_at"),
            ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
            ({"is_granted": True}, "is_granted"),
        ],
    )
    def test_is_refused_with_the_field_named(
        self, change: dict[str, Any], field: str, project: Project, api: Callable[..., Any]
    ) -> None:
        answer = api("post", "consent/", CONSENT | change)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert not ConsentChange.objects.exists()


class TestAnOrder:
    def test_is_created_then_updated(self, project: Project, api: Callable[..., Any]) -> None:
        items = [{"sku": "1", "title": "Scarf", "quantity": 2, "price": "29.95"}]

        created = api("post", "orders/", ORDER | {"items": items})
        refunded = api("post", "orders/", ORDER | {"state": "refunded"})

        assert (created.status_code, refunded.status_code) == (201, 200)
        assert created.json()["id"] == refunded.json()["id"]
        assert (refunded.json()["state"], refunded.json()["refunded_total"]) == ("refunded", "59.90")
        assert Order.objects.get().order_id == "R-1"

    def test_told_of_again_keeps_what_is_left_out(self, project: Project, api: Callable[..., Any]) -> None:
        api("post", "orders/", ORDER | {"items": [{"sku": "1"}], "state": "refunded"})

        again = api("post", "orders/", ORDER)

        assert (again.json()["state"], again.json()["refunded_total"]) == ("refunded", "59.90")
        assert Order.objects.get().items == [{"sku": "1"}]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"total": "-1"}, "total"),
            ({"total": "NaN"}, "total"),
            ({"total": "1.001"}, "total"),
            ({"currency": "eur"}, "currency"),
            ({"currency": "EURO"}, "currency"),
            ({"currency": "XXQ"}, "currency"),
            ({"currency": 978}, "currency"),
            ({"placed_at": "9999-12-31T23:59:59Z"}, "placed_at"),
            ({"placed_at": "0001-01-01T00:00:00Z"}, "placed_at"),
            ({"order_id": ""}, "order_id"),
            ({"placed_at": None}, "placed_at"),
            ({"state": "lost"}, "state"),
            ({"items": [{"quantity": -1}]}, "items.0.quantity"),
            ({"items": [{"colour": "red"}]}, "items.0.colour"),
            ({"items": "scarf"}, "items"),
            ({"refunded_total": "60"}, "refunded_total"),
            ({"email": None, "external_id": None}, "identifiers"),
        ],
    )
    def test_is_refused_with_the_field_named(
        self, change: dict[str, Any], field: str, project: Project, api: Callable[..., Any]
    ) -> None:
        answer = api("post", "orders/", ORDER | change)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert not Order.objects.exists()


class TestASuppression:
    def test_is_added_once(self, project: Project, api: Callable[..., Any]) -> None:
        first = api("post", "suppressions/", {"email": " Ada@Example.com", "reason": "complained"})
        again = api("post", "suppressions/", {"email": "ada@example.com", "reason": "manual"})

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert (first.json()["email"], first.json()["reason"]) == ("ada@example.com", "complained")
        assert len(api("get", "suppressions/", {"email": "ADA@example.com"}).json()["results"]) == 1

    def test_is_refused_for_what_is_no_address(self, project: Project, api: Callable[..., Any]) -> None:
        answer = api("post", "suppressions/", {"email": "nonsense"})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["email"])
        assert not Suppression.objects.exists()


class TestARepeatedRequest:
    def test_with_the_same_key_is_answered_and_not_done_again(self, project: Project, api: Callable[..., Any]) -> None:
        first = api("post", "orders/", ORDER, headers={"idempotency-key": "k1"})
        again = api("post", "orders/", ORDER, headers={"idempotency-key": "k1"})
        without = api("post", "orders/", ORDER)

        assert (first.status_code, again.status_code, without.status_code) == (201, 201, 200)
        assert again.json() == first.json()
        assert (first.has_header("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (False, "true")

    def test_with_another_body_or_address_is_refused(self, project: Project, api: Callable[..., Any]) -> None:
        api("post", "identify/", ADA, headers={"idempotency-key": "k1"})

        other_body = api("post", "identify/", {"external_id": "bob"}, headers={"idempotency-key": "k1"})
        other_address = api("post", "consent/", CONSENT, headers={"idempotency-key": "k1"})

        assert (other_body.status_code, other_address.status_code) == (409, 409)
        assert other_body.json()["code"] == "idempotency_conflict"
        assert Customer.objects.count() == 1

    def test_may_use_the_key_of_one_that_failed(self, project: Project, api: Callable[..., Any]) -> None:
        failed = api("post", "identify/", {"email": "nonsense"}, headers={"idempotency-key": "k1"})
        corrected = api("post", "identify/", ADA, headers={"idempotency-key": "k1"})

        assert (failed.status_code, corrected.status_code) == (400, 200)

    def test_is_its_stores_own(self, project: Project, api: Callable[..., Any]) -> None:
        other = project_services.create_project(slug="other", name="O", shop_url="https://other.example")
        _, key = project_services.create_api_key(project=other, name="k", scopes=["write"])

        api("post", "identify/", ADA, headers={"idempotency-key": "k1"})
        there = api("post", "identify/", ADA, headers={"idempotency-key": "k1"}, key=key)

        assert there.json()["status"] == "created"

    @pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb"])
    def test_is_refused_with_a_key_that_is_none(self, key: str, project: Project, api: Callable[..., Any]) -> None:
        answer = api("post", "identify/", ADA, headers={"idempotency-key": key})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])

    def test_is_forgotten_after_a_day(self, project: Project, api: Callable[..., Any], time_machine: Any) -> None:
        time_machine.move_to("2026-11-24T12:00:00Z", tick=False)
        api("post", "identify/", ADA, headers={"idempotency-key": "k1"})
        time_machine.move_to("2026-11-25T12:00:01Z", tick=False)

        again = api("post", "identify/", ADA, headers={"idempotency-key": "k1"})
        assert again.json()["status"] == "linked"

        time_machine.move_to("2026-11-26T13:00:00Z", tick=False)
        prune()
        assert not IdempotentRequest.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_is_done_once_though_it_comes_many_times_at_once(self, transactional_db: None) -> None:
        project = project_services.create_project(slug="shop", name="S", shop_url="https://shop.example")
        _, key = project_services.create_api_key(project=project, name="k", scopes=["write"])
        headers = {"authorization": f"Bearer {key}", "idempotency-key": "k1"}
        answers = []

        def call() -> None:
            try:
                answers.append(
                    Client().post("/api/v1/consent/", CONSENT, content_type="application/json", headers=headers)
                )
            finally:
                connection.close()

        threads = [threading.Thread(target=call) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert [answer.status_code for answer in answers] == [200] * 6
        assert len({answer.content for answer in answers}) == 1
        assert ConsentChange.objects.count() == 1
