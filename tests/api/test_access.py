"""Who may do what, and that nobody sees another store."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern
from django.urls import reverse as urls_reverse

from signals_app.api import urls
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Order
from signals_app.emails.models import EmailMessage, Suppression
from signals_app.projects import services as project_services
from signals_app.projects.models import ApiKey, Project
from signals_app.remarketing.models import RemarketingRule, RuleMatch
from signals_app.segments.models import Segment
from signals_app.shopper_signals.models import ShopperSignal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA = {"external_id": "ada", "email": "ada@example.com"}

LISTS = ("customers", "signals", "matches", "messages", "rules", "segments", "suppressions")
ROWS = {
    "customer": Customer,
    "customer-intent": Customer,
    "customer-timeline": Customer,
    "signal": ShopperSignal,
    "match": RuleMatch,
    "message": EmailMessage,
    "rule": RemarketingRule,
    "segment": Segment,
    "segment-customers": Segment,
}
WRITES: dict[str, dict[str, Any]] = {
    "identify": ADA,
    "consent": ADA | {"channel": "email", "granted": False, "source": "test"},
    "orders": ADA
    | {
        "order_id": "R-1",
        "total": "1.00",
        "currency": "EUR",
        "placed_at": "2026-11-01T00:00:00Z",
        "state": "cancelled",
    },
    "suppressions": {"email": "ada@example.com"},
}
OTHERS = {"customer-lookup"}
WITHOUT_KEY = {"schema", "docs", "nothing-here"}


@pytest.fixture
def own(project: Project, fill_store: Callable[[Project], Project]) -> Project:
    return fill_store(project)


@pytest.fixture
def foreign(fill_store: Callable[[Project], Project]) -> Project:
    return fill_store(project_services.create_project(slug="foreign", name="F", shop_url="https://foreign.example"))


def routes() -> Iterator[str]:
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern), "an include would hide addresses from this test"
        yield str(pattern.name)


def row_of(name: str, store: Project) -> str:
    return str(ROWS[name].objects.get(project=store).pk)


def reverse(name: str, pk: str = "") -> str:
    return urls_reverse(f"api:{name}", kwargs={"id": pk} if pk else {})


def test_every_address_stands_in_the_tables_of_this_test() -> None:
    assert set(routes()) == {*LISTS, *ROWS, *WRITES, *OTHERS, *WITHOUT_KEY}


class TestAnotherStore:
    @pytest.mark.parametrize("name", sorted(ROWS))
    def test_has_no_row_that_a_key_can_see(
        self, name: str, own: Project, foreign: Project, api: Callable[..., Any]
    ) -> None:
        assert api("get", reverse(name, row_of(name, own))).status_code == 200

        refused = api("get", reverse(name, row_of(name, foreign)))

        assert refused.status_code == 404
        assert refused.json()["code"] == "not_found"

    @pytest.mark.parametrize("name", LISTS)
    def test_is_in_no_list(self, name: str, own: Project, foreign: Project, api: Callable[..., Any]) -> None:
        found = api("get", reverse(name)).json()["results"]

        assert len(found) == 1
        model = {"matches": RuleMatch, "suppressions": Suppression}.get(name) or ROWS[name.removesuffix("s")]
        assert found[0]["id"] == str(model.objects.get(project=own).pk)

    def test_is_not_reached_through_filters(self, own: Project, foreign: Project, api: Callable[..., Any]) -> None:
        customer, rule, segment = (row_of(name, foreign) for name in ("customer", "rule", "segment"))

        for name in ("signals", "messages", "matches"):
            assert api("get", reverse(name), {"customer": customer}).json()["results"] == []
        for name in ("messages", "matches"):
            assert api("get", reverse(name), {"rule": rule}).json()["results"] == []
        refused = api("get", reverse("customers"), {"segment": segment})
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["segment"])

    def test_is_not_in_lookup(self, own: Project, foreign: Project, api: Callable[..., Any]) -> None:
        customer_services.identify(project=foreign, identifiers={"external_id": "only there"}, now=NOW)

        assert api("get", reverse("customer-lookup"), {"external_id": "only there"}).status_code == 404
        assert api("get", reverse("customer-lookup"), {"external_id": "ada"}).json()["id"] == row_of("customer", own)

    @pytest.mark.parametrize("name", sorted(WRITES))
    def test_is_not_written_to(self, name: str, own: Project, foreign: Project, api: Callable[..., Any]) -> None:
        before = (Order.objects.get(project=foreign).state, Customer.objects.get(project=foreign).updated_at)

        answer = api("post", reverse(name), WRITES[name])

        assert answer.status_code in (200, 201)
        assert (Order.objects.get(project=foreign).state, Customer.objects.get(project=foreign).updated_at) == before
        assert Suppression.objects.filter(project=foreign).count() == 1

    @pytest.mark.parametrize("name", sorted(WRITES))
    def test_cannot_be_named_in_a_body(
        self, name: str, own: Project, foreign: Project, api: Callable[..., Any]
    ) -> None:
        refused = api("post", reverse(name), WRITES[name] | {"project": str(foreign.pk)})

        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["project"])


class TestAKey:
    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Bearer iac_\x00\xff", "Basic YTpi"])
    def test_is_asked_for_everywhere(self, header: str | None, client: Client, db: None) -> None:
        headers = {} if header is None else {"authorization": header}

        for name in {*LISTS, *ROWS, *WRITES, *OTHERS}:
            for method in ("GET", "POST"):
                path = reverse(name, str(uuid.uuid4()) if name in ROWS else "")
                refused = client.generic(method, path, headers=headers)

                assert refused.status_code == 401, name
                assert refused["WWW-Authenticate"] == "Bearer"
                assert set(refused.json()) == {"code", "detail", "errors"}

    @pytest.mark.parametrize(
        ("scopes", "can_read", "can_write"),
        [(["read"], True, False), (["write"], False, True), (["send"], False, False)],
    )
    def test_does_what_its_scopes_allow(
        self, scopes: list[str], can_read: bool, can_write: bool, own: Project, api: Callable[..., Any]
    ) -> None:
        _, key = project_services.create_api_key(project=own, name="k", scopes=scopes)

        for name in (*LISTS, *ROWS):
            answer = api("get", reverse(name, row_of(name, own) if name in ROWS else ""), key=key)
            assert answer.status_code == (200 if can_read else 403), name
        for name, body in WRITES.items():
            answer = api("post", reverse(name), body, key=key)
            assert (answer.status_code in (200, 201)) is can_write, name
            assert can_write or answer.status_code == 403

    def test_is_useless_the_moment_it_is_revoked_or_expired(self, own: Project, api: Callable[..., Any]) -> None:
        key, text = project_services.create_api_key(project=own, name="k", scopes=["read"])
        assert api("get", "customers/", key=text).status_code == 200
        project_services.revoke_api_key(key=key, now=NOW)
        assert api("get", "customers/", key=text).status_code == 401

        ApiKey.objects.filter(pk=key.pk).update(revoked_at=None, expires_at=datetime.now(tz=UTC) - timedelta(seconds=1))
        assert api("get", "customers/", key=text).status_code == 401

    def test_may_not_call_without_end(self, api: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
        from signals_app.api.throttling import KeyThrottle

        monkeypatch.setattr(KeyThrottle, "THROTTLE_RATES", {"api": "2/min"})
        answers = [api("get", "rules/") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["code"] == "throttled"
        assert int(answers[-1]["Retry-After"]) <= 61


class TestAnUnknownAddress:
    @pytest.mark.parametrize(
        "path", ["", "nothing/", "customers", "customers/nonsense/", "customers/0/intent/", "a/b/c"]
    )
    @pytest.mark.parametrize("method", ["get", "post", "delete"])
    def test_is_answered_in_the_same_shape(self, path: str, method: str, api: Callable[..., Any]) -> None:
        answer = api(method, f"/api/v1/{path}")

        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
    def test_or_method_is_refused(self, method: str, api: Callable[..., Any]) -> None:
        answer = api(method, "customers/")

        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
