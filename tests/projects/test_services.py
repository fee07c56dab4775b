import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from signals_app.projects import services
from signals_app.projects.models import ApiKey, Project, SavedView, validate_time_zone
from tests.customers.test_identity_races import at_once

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def shop(db: None) -> Project:
    return services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")


class TestCreatingAStore:
    def test_refuses_an_unknown_time_zone_and_names_the_field(self, db: None) -> None:
        with pytest.raises(ValidationError) as refused:
            services.create_project(slug="a", name="A", shop_url="https://a.example", time_zone="Mars/Olympus")

        assert set(refused.value.message_dict) == {"time_zone"}

    def test_looks_up_a_time_zone_without_reading_the_systems_folder_each_time(self) -> None:
        started = time.process_time()

        for _ in range(200):
            validate_time_zone("Europe/Berlin")

        assert time.process_time() - started < 1  # each reading of it takes a fiftieth of a second

    def test_refuses_a_shop_address_that_is_none(self, db: None) -> None:
        with pytest.raises(ValidationError) as refused:
            services.create_project(slug="a", name="A", shop_url="javascript:alert(1)")

        assert set(refused.value.message_dict) == {"shop_url"}


class TestAKey:
    def test_opens_its_own_store(self, shop: Project) -> None:
        _, text = services.create_api_key(project=shop, name="till", scopes=["read"])

        found = services.authenticate(key=text, now=NOW)

        assert found is not None
        assert found.project == shop

    def test_is_not_kept_in_the_database(self, shop: Project) -> None:
        _, text = services.create_api_key(project=shop, name="till", scopes=["read"])

        row = ApiKey.objects.values().get()

        assert not any(text in str(value) for value in row.values())

    @pytest.mark.parametrize(
        "change", [lambda text: text + "x", lambda text: text[:-1], lambda text: text[:12], str.upper]
    )
    def test_opens_nothing_when_a_character_differs(self, shop: Project, change) -> None:  # type: ignore[no-untyped-def]
        _, text = services.create_api_key(project=shop, name="till", scopes=["read"])

        assert services.authenticate(key=change(text), now=NOW) is None

    def test_opens_nothing_after_it_was_revoked(self, shop: Project) -> None:
        key, text = services.create_api_key(project=shop, name="till", scopes=["read"])
        services.revoke_api_key(key=key, now=NOW)

        assert services.authenticate(key=text, now=NOW) is None

    def test_opens_nothing_after_it_expired(self, shop: Project) -> None:
        _, text = services.create_api_key(project=shop, name="till", scopes=["read"], expires_at=NOW)

        assert services.authenticate(key=text, now=NOW - timedelta(seconds=1)) is not None
        assert services.authenticate(key=text, now=NOW) is None

    @pytest.mark.parametrize("scopes", [[], ["read", "root"]])
    def test_is_refused_with_no_scope_or_an_unknown_one(self, shop: Project, scopes: list[str]) -> None:
        with pytest.raises(ValidationError):
            services.create_api_key(project=shop, name="till", scopes=scopes)


def test_two_clicks_that_save_a_view_are_one_view(transactional_db: None) -> None:
    shop = services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")
    ada = get_user_model().objects.create_user("ada")

    def save() -> None:
        services.save_view(
            project=shop, owner=ada, list_name="customers.customer", name="Leaving", query="q=x", is_shared=False
        )

    at_once(*[save] * 4)

    assert SavedView.objects.count() == 1
