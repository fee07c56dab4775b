from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from signals_app.projects.models import Project
from signals_app.webhooks import services
from signals_app.webhooks.constants import DeliveryVerdict, InboxState
from signals_app.webhooks.exceptions import InvalidConfiguration
from signals_app.webhooks.models import InboxItem, SignatureFailure, WebhookDelivery, WebhookSecret, WebhookSource

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
Post = Callable[..., Any]


class TestANewSource:
    def test_is_known_by_our_public_address_unless_told_otherwise(self, project: Project, settings: Any) -> None:
        settings.PUBLIC_URL = "https://crm.example.com"

        source = services.create_source(project=project)

        assert source.registered_urls == [f"https://crm.example.com/webhooks/insightarc/{source.id}/"]

    def test_keeps_the_addresses_it_is_given_to_the_letter(self, project: Project) -> None:
        source = services.create_source(project=project, urls=["HTTPS://Ex.com:443/a/../{source_id}?b=1&a=2#f"])

        assert source.registered_urls == [f"HTTPS://Ex.com:443/a/../{source.id}?b=1&a=2#f"]

    @pytest.mark.parametrize(
        "url",
        ["", "crm.example.com", "ftp://crm.example.com/", "https://", "https://a b/", "https://[x/", "https://a\n"],
    )
    def test_is_refused_with_the_field_named_when_an_address_is_none(self, project: Project, url: str) -> None:
        with pytest.raises(InvalidConfiguration) as refused:
            services.create_source(project=project, urls=["https://ok.example.com/", url])

        assert refused.value.field == "registered_urls"
        assert not WebhookSource.objects.exists()


class TestConfiguring:
    def test_changes_only_what_is_given(self, source: WebhookSource) -> None:
        services.configure_source(source=source, duplicate_window_seconds=0)
        services.configure_source(source=source, identity_mapping={"email": {"paths": ["mail"]}})

        source.refresh_from_db()
        assert source.duplicate_window_seconds == 0
        assert source.identity_mapping == {"email": {"paths": ["mail"]}}
        assert len(source.registered_urls) == 1

    def test_refuses_a_mapping_that_cannot_be_used(self, source: WebhookSource) -> None:
        with pytest.raises(InvalidConfiguration) as refused:
            services.configure_source(source=source, identity_mapping={"email": {"jmespath": "a["}})

        assert refused.value.field == "identity_mapping.email.jmespath"

    def test_is_held_to_the_same_by_forms(self, source: WebhookSource) -> None:
        source.registered_urls = ["nonsense"]
        source.identity_mapping = {"phone": {}}

        with pytest.raises(ValidationError) as refused:
            source.full_clean()

        assert set(refused.value.message_dict) == {"registered_urls", "identity_mapping"}


class TestPastingTheSecret:
    @pytest.fixture
    def secretless(self, source: WebhookSource) -> WebhookSource:
        source.secrets.all().delete()
        return source

    def test_accepts_what_came_before_and_says_how_many_verify(
        self, post_signal: Post, secretless: WebhookSource
    ) -> None:
        for number in range(50):
            assert post_signal({"num_events": number}, secret="right").status_code == 401
        came_at = SignatureFailure.objects.order_by("pk").values_list("received_at", flat=True)[0]

        report = services.paste_secret(source=secretless, secret=" right\n", now=NOW)

        assert str(report) == "50 of 50 verify"
        assert WebhookDelivery.objects.order_by("pk")[0].received_at == came_at
        assert WebhookDelivery.objects.filter(verdict=DeliveryVerdict.ACCEPTED).count() == 50
        assert InboxItem.objects.filter(state=InboxState.PENDING).count() == 50
        assert not SignatureFailure.objects.exists()

    def test_that_is_wrong_keeps_them_for_the_right_one(self, post_signal: Post, secretless: WebhookSource) -> None:
        post_signal({"num_events": 1}, secret="right")
        post_signal({"num_events": 2}, secret="another")

        wrong = services.paste_secret(source=secretless, secret="wrong", now=NOW)
        right = services.paste_secret(source=secretless, secret="right", now=NOW)

        assert (str(wrong), str(right)) == ("0 of 2 verify", "1 of 2 verify")
        assert WebhookDelivery.objects.count() == 1
        assert SignatureFailure.objects.count() == 1

    def test_checks_again_when_the_address_was_the_wrong_one(self, post_signal: Post, source: WebhookSource) -> None:
        source.secrets.all().delete()
        post_signal({}, secret="right")
        registered = source.registered_urls
        services.configure_source(source=source, urls=["https://wrong.example.com/"])
        assert services.paste_secret(source=source, secret="right", now=NOW).verified == 0

        services.configure_source(source=source, urls=registered)

        assert services.check_unchecked(source=source, now=NOW).verified == 1

    def test_puts_bodies_that_cannot_be_read_where_a_person_sees_them(
        self, post_signal: Post, secretless: WebhookSource
    ) -> None:
        post_signal(b"[]", secret="right")

        services.paste_secret(source=secretless, secret="right", now=NOW)

        assert WebhookDelivery.objects.get().verdict == DeliveryVerdict.MALFORMED
        assert InboxItem.objects.get().state == InboxState.QUARANTINED

    def test_twice_adds_it_once(self, source: WebhookSource) -> None:
        for expires_at in (None, NOW + timedelta(days=1)):
            services.paste_secret(source=source, secret="new", expires_at=expires_at, now=NOW)

        assert sorted(row.secret for row in WebhookSecret.objects.all()) == ["new", "whsec_test"]
        assert WebhookSecret.objects.get(expires_at__isnull=False).secret == "new"

    @pytest.mark.parametrize("secret", ["", "  \n", "x" * 501, None])
    def test_is_refused_when_it_is_empty(self, source: WebhookSource, secret: Any) -> None:
        with pytest.raises(InvalidConfiguration) as refused:
            services.paste_secret(source=source, secret=secret, now=NOW)

        assert refused.value.field == "secret"
        assert WebhookSecret.objects.count() == 1

    def test_leaves_no_readable_secret_in_the_database(self, source: WebhookSource) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM webhooks_webhooksecret")
            assert "whsec_test" not in str(cursor.fetchall())


class TestPausing:
    def test_parks_until_it_goes_on(self, post_signal: Post, source: WebhookSource) -> None:
        services.pause(source=source, now=NOW)
        assert [post_signal({"num_events": n}).json()["status"] for n in range(3)] == ["parked"] * 3

        released = services.unpause(source=source, now=NOW)

        assert released == 3
        assert set(InboxItem.objects.values_list("state", "due_at")) == {(InboxState.PENDING, NOW)}
        assert post_signal({"num_events": 3}).json()["status"] == "accepted"

    def test_leaves_other_sources_parked(self, post_signal: Post, source: WebhookSource) -> None:
        other = services.create_source(project=source.project)
        services.pause(source=source, now=NOW)
        post_signal({})

        assert services.unpause(source=other, now=NOW) == 0


class TestReplaying:
    def test_puts_each_delivery_into_the_inbox_once(self, post_signal: Post) -> None:
        for number in range(3):
            post_signal({"num_events": number})
        InboxItem.objects.all().delete()

        for _ in range(2):
            services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW)

        assert InboxItem.objects.filter(state=InboxState.PENDING, due_at=NOW).count() == 3

    def test_gives_what_needs_fixing_five_new_attempts(self, post_signal: Post) -> None:
        post_signal(b"[]")
        InboxItem.objects.update(attempts=5)

        assert services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW) == 1

        item = InboxItem.objects.get()
        assert (item.state, item.attempts, item.error) == (InboxState.PENDING, 0, "")

    def test_of_a_paused_source_waits(self, post_signal: Post, source: WebhookSource) -> None:
        post_signal({})
        post_signal(b"[]")
        InboxItem.objects.filter(state=InboxState.PENDING).delete()
        services.pause(source=source, now=NOW)

        assert services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW) == 0
        assert set(InboxItem.objects.values_list("state", flat=True)) == {InboxState.PARKED}
        assert services.unpause(source=source, now=NOW) == 2


@pytest.mark.django_db(transaction=True)
class TestProbing:
    def test_asks_our_own_address_as_insightarc_does(
        self, source: WebhookSource, live_server: Any, settings: Any
    ) -> None:
        settings.PUBLIC_URL = live_server.url
        services.configure_source(source=source, urls=[services.public_url(source)])

        report = services.probe(source=source, now=NOW)

        assert (report.is_ok, report.status_code) == (True, 200)
        source.refresh_from_db()
        assert source.probed_at == NOW

    def test_says_what_insightarc_would_refuse(self, source: WebhookSource, live_server: Any, settings: Any) -> None:
        settings.PUBLIC_URL = live_server.url
        services.configure_source(source=source, urls=[f"{live_server.url}/nowhere/"])

        report = services.probe(source=source, now=NOW)

        assert (report.status_code, report.problem) == (404, "It answers 404, but has to answer 200.")
        source.refresh_from_db()
        assert source.probed_at is None

    def test_reaches_no_private_place_but_our_own_address(self, source: WebhookSource, live_server: Any) -> None:
        services.configure_source(source=source, urls=[live_server.url + services.webhook_path(source.id)])

        report = services.probe(source=source, now=NOW)

        assert not report.is_ok
        assert report.status_code is None

    def test_without_an_address_asks_for_one(self, source: WebhookSource) -> None:
        services.configure_source(source=source, urls=[])

        assert services.probe(source=source, now=NOW).problem == "No address is entered yet."
