import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from signals_app.customers import services, tasks
from signals_app.customers.exceptions import ErasedIdentifier, IdentityKeepsMoving
from signals_app.customers.models import (
    Consent,
    Customer,
    ErasureReport,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    Order,
)
from signals_app.customers.services import Sighting
from signals_app.projects.models import Project, SavedView

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA = {"external_id": "ada", "email": "ada@example.com", "anonymous_id": "kiosk"}


@pytest.fixture
def ada(shop: Project, order: Callable[..., Any]) -> Customer:
    customer = services.identify(project=shop, identifiers=ADA, attributes={"name": "Ada"}, now=NOW).customer
    services.identify(project=shop, identifiers={"external_id": "bob", "anonymous_id": "kiosk"}, now=NOW)
    services.record_consent(project=shop, identifiers=ADA, granted=True, source="form", now=NOW)
    order(identifiers=ADA)
    return customer


class TestAnExport:
    def test_holds_every_row_about_the_person(self, ada: Customer) -> None:
        out = StringIO()

        call_command("export_customer", customer=str(ada.pk), stdout=out)

        exported = json.loads(out.getvalue())["customers"]
        assert exported["customer"][0]["name"] == "Ada"
        assert {row["value"] for row in exported["identifiers"]} == set(ADA.values())
        assert {name: len(rows) for name, rows in exported.items()} == {
            "customer": 1,
            "identifiers": 3,
            "links": 2,
            "conflicts": 1,
            "former_profiles": 0,
            "consents": 1,
            "consent_changes": 1,
            "orders": 1,
            "checkouts": 0,
            "shipments": 0,
        }

    @pytest.mark.parametrize("wrong", ["nonsense", "019a0000-0000-7000-8000-000000000000"])
    def test_of_nobody_says_so(self, db: None, wrong: str) -> None:
        with pytest.raises(CommandError, match="no profile"):
            call_command("export_customer", customer=wrong)


class TestAnErasure:
    def test_leaves_nothing_but_hashes(self, ada: Customer, shop: Project) -> None:
        out = StringIO()

        call_command("erase_customer", customer=str(ada.pk), yes=True, stdout=out)

        assert json.loads(out.getvalue())["erased"]["customers"] > 0
        assert Customer.objects.get().external_id == "bob"
        assert Identifier.objects.get().value == "bob"
        for model in (IdentityEdge, IdentityConflict, Consent, Order):
            assert not model._default_manager.exists()

    def test_asks_first(self, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("builtins.input", lambda _: "no")

        with pytest.raises(CommandError, match="Nothing was deleted"):
            call_command("erase_customer", customer=str(ada.pk))

        assert Customer.objects.filter(pk=ada.pk).exists()

    def test_is_not_undone_by_a_replay(self, ada: Customer, shop: Project, order: Callable[..., Any]) -> None:
        services.erase_customer(customer=ada, now=NOW)

        found = services.resolve(
            project=shop,
            sightings=[
                Sighting("old", {"email": "ADA@example.com"}),
                Sighting("in a new browser", {"email": "ada@example.com", "anonymous_id": "new browser"}),
                Sighting("under a new number", {"external_id": "ada-2", "email": "ada@example.com"}),
                Sighting("in the old browser", {"anonymous_id": "kiosk", "session_id": "new visit"}),
                Sighting("of somebody else there", {"email": "carl@example.com", "anonymous_id": "kiosk"}),
            ],
            now=NOW,
        )

        assert {name: str(identifier) for name, identifier in found.items()} == {
            "of somebody else there": "carl@example.com"
        }
        assert set(Identifier.objects.values_list("value", flat=True)) == {"bob", "carl@example.com"}
        with pytest.raises(ErasedIdentifier):
            order(identifiers={"email": "ada@example.com"})

    def test_holds_when_the_key_is_rotated(self, ada: Customer, shop: Project, settings) -> None:  # type: ignore[no-untyped-def]
        services.erase_customer(customer=ada, now=NOW)
        settings.FIELD_ENCRYPTION_KEYS = ["a new key", *settings.FIELD_ENCRYPTION_KEYS]

        with pytest.raises(ErasedIdentifier):
            services.identify(project=shop, identifiers={"external_id": "ada"}, now=NOW)

    def test_ends_when_the_person_comes_back_and_agrees(self, ada: Customer, shop: Project) -> None:
        services.erase_customer(customer=ada, now=NOW)
        later = NOW + timedelta(days=1)

        with pytest.raises(ErasedIdentifier):
            services.record_consent(
                project=shop, identifiers=ADA, granted=True, source="old form", occurred_at=NOW, now=later
            )
        customer = services.record_consent(
            project=shop, identifiers={"email": ADA["email"]}, granted=True, source="form", now=later
        )
        found = services.resolve(project=shop, sightings=[Sighting("again", ADA)], now=later)

        assert services.has_consent(customer=customer).granted is True
        assert found["again"].value == "ada"

    def test_that_another_worker_is_at_is_not_asked_for_again_and_again(
        self, ada: Customer, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        services.begin_erasure(customer=ada, now=NOW)
        ErasureReport.objects.update(lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(minutes=1))
        calls: list[Any] = []
        settings.PUBLISH_WAKE_UPS = True
        monkeypatch.setattr("celery.app.task.Task.apply_async", lambda *args, **kwargs: calls.append(args))

        tasks.continue_erasures()

        assert calls == []

    def test_that_has_begun_lets_nobody_in_by_an_id_without_a_tombstone_yet(self, ada: Customer, shop: Project) -> None:
        visits = [f"visit-{number}" for number in range(205)]
        services.resolve(project=shop, sightings=[Sighting(one, ADA | {"session_id": one}) for one in visits], now=NOW)

        last = Identifier.objects.filter(customer=ada).latest("pk").value

        services.begin_erasure(customer=ada, now=NOW)

        with pytest.raises(IdentityKeepsMoving):
            services.identify(project=shop, identifiers={"session_id": last}, now=NOW)
        services.continue_erasures(now=NOW)
        with pytest.raises(ErasedIdentifier):
            services.identify(project=shop, identifiers={"session_id": last}, now=NOW)

    def test_takes_the_saved_views_that_search_for_the_person(self, ada: Customer, shop: Project) -> None:
        for name, query in (
            ("By address", "q=Ada%40Example.com"),
            ("By number", "q=ada"),
            ("ada@example.com", "consent=granted"),
            ("Others", "q=ada-lovelace&consent=granted"),
        ):
            SavedView.objects.create(project=shop, list_name="customers.customer", name=name, query=query)

        services.erase_customer(customer=ada, now=NOW)

        assert set(SavedView.objects.values_list("name", flat=True)) == {"Others"}
