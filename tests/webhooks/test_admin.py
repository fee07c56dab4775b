"""The connection page, the incoming log and what needs fixing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.webhooks import bodies, services
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import (
    AddressProbe,
    ConnectionAlert,
    InboxItem,
    WebhookDelivery,
    WebhookSecret,
    WebhookSource,
)

Post = Callable[..., Any]


@pytest.fixture
def operator(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OPERATOR)


def page(source: WebhookSource, view: str = "change") -> str:
    return reverse(f"admin:webhooks_webhooksource_{view}", args=[source.pk])


def settings_of(source: WebhookSource, **changes: str) -> dict[str, str]:
    return {
        "name": source.name,
        "registered_urls": "\r\n".join(source.registered_urls),
        "duplicate_window_seconds": "600",
        "external_id_paths": "user_id, customer_id, external_id, user.id, customer.id",
        "email_paths": "email, user.email, customer.email",
        "anonymous_id_paths": "anonymous_id, visitor_id, client_id, session_id",
        "session_id_paths": "session_id, session.id",
        "occurred_at_paths": "occurred_at, timestamp",
    } | changes


def test_pasting_the_secret_says_how_many_earlier_requests_verify(
    operator: Client, source: WebhookSource, post_signal: Post, example_body: Callable[..., dict[str, Any]]
) -> None:
    WebhookSecret.objects.all().delete()
    for number in range(3):
        post_signal(example_body(num_events=number))

    wrong = operator.post(page(source, "secret"), {"secret": "another"}, follow=True).content.decode()
    right = operator.post(page(source, "secret"), {"secret": " whsec_test \n"}, follow=True).content.decode()

    assert "0 of 3 verify" in wrong
    assert "Requests come in, but their signatures do not match." in wrong
    assert "Everything is ready" not in wrong
    assert "3 of 3 verify" in right
    assert "Signed signals are coming in." in right
    assert "whsec_test" not in right
    assert WebhookDelivery.objects.count() == 3


def test_an_empty_secret_is_refused_with_the_field_named(operator: Client, source: WebhookSource) -> None:
    answer = operator.post(page(source, "secret"), {"secret": "   "}, follow=True).content.decode()

    assert "Webhook secret: " in answer
    assert source.secrets.count() == 1


def test_a_secret_can_be_taken_away_but_never_read(operator: Client, source: WebhookSource) -> None:
    secret = source.secrets.get()

    shown = operator.get(page(source)).content.decode()
    operator.post(reverse("admin:webhooks_webhooksource_remove_secret", args=[source.pk, secret.pk]))

    assert "whsec_test" not in shown
    assert not source.secrets.exists()


def test_the_probe_says_in_words_what_insightarc_would_find(operator: Client, source: WebhookSource) -> None:
    services.configure_source(source=source, urls=["https://10.0.0.1/webhooks/insightarc/"])

    answer = operator.post(page(source, "probe"), follow=True).content.decode()

    assert "Insightarc could not reach it" in answer


def test_pausing_keeps_signals_and_going_on_processes_them(
    operator: Client, source: WebhookSource, post_signal: Post, example_body: Callable[..., dict[str, Any]]
) -> None:
    operator.post(page(source, "pause"), {"paused": "1"})
    post_signal(example_body())
    parked = InboxItem.objects.get().state
    home = operator.get("/admin/").content.decode()
    answer = operator.post(page(source, "pause"), {"paused": "0"}, follow=True).content.decode()

    assert parked == InboxState.PARKED
    assert "is paused: signals are kept" in home
    assert "1 signals that came meanwhile" in answer
    assert InboxItem.objects.get().state == InboxState.PENDING


def test_buttons_act_only_on_post_and_only_for_those_who_may(
    sign_in: Callable[..., Client], source: WebhookSource
) -> None:
    operator, marketer = sign_in(Role.OPERATOR), sign_in(Role.MARKETER)

    for view, data in (("secret", {"secret": "x"}), ("probe", {}), ("pause", {"paused": "1"})):
        assert operator.get(page(source, view)).status_code == 403
        assert marketer.post(page(source, view), data).status_code == 403
    source.refresh_from_db()
    assert not source.is_paused
    assert "Probe as Insightarc does" not in marketer.get(page(source)).content.decode()


def test_saving_settings_writes_nothing_that_is_not_a_setting(operator: Client, source: WebhookSource) -> None:
    with CaptureQueriesContext(connection) as queries:
        operator.post(page(source), settings_of(source, name="Shop"))

    written = [each["sql"] for each in queries if each["sql"].startswith('UPDATE "webhooks_webhooksource"')]
    assert written
    assert not [sql for sql in written if "is_paused" in sql or "probed_at" in sql]
    source.refresh_from_db()
    assert source.name == "Shop"


def test_settings_are_kept_as_written_and_defaults_are_not_stored(operator: Client, source: WebhookSource) -> None:
    address = "https://CRM.example.com:443/Hook?x=1"

    answer = operator.post(
        page(source), settings_of(source, registered_urls=address, email_paths="data.mail", email_query_parameter="uid")
    )
    source.refresh_from_db()

    assert answer.status_code == 302
    assert source.registered_urls == [address]
    assert source.identity_mapping == {"email": {"paths": ["data.mail"], "query_parameter": "uid"}}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("registered_urls", "not an address", "is not an address"),
        ("registered_urls", "javascript:alert(1)", "is not an address"),
        ("email_jmespath", "user.[", "Not a JMESPath"),
        ("email_paths", "a..b", "dotted paths"),
        ("email_query_parameter", "a b", "name of a parameter"),
        ("duplicate_window_seconds", "-1", "greater than or equal to 0"),
        ("name", "", "required"),
    ],
)
def test_a_wrong_setting_is_refused_at_its_field(
    operator: Client, source: WebhookSource, field: str, value: str, words: str
) -> None:
    answer = operator.post(page(source), settings_of(source, **{field: value}))
    before = source.registered_urls
    source.refresh_from_db()

    assert answer.status_code == 200
    assert any(words in error for error in answer.context["adminform"].form.errors[field])
    assert source.registered_urls == before
    assert source.identity_mapping == {}


def test_a_new_connection_gets_our_own_address_unless_one_is_given(operator: Client, project: Project) -> None:
    blank = WebhookSource(name="Second", registered_urls=[])

    answer = operator.post(reverse("admin:webhooks_webhooksource_add"), settings_of(blank))

    made = WebhookSource.objects.get(name="Second")
    assert answer.status_code == 302
    assert made.project == project
    assert made.registered_urls == [f"http://127.0.0.1:8000/webhooks/insightarc/{made.pk}/"]


def test_what_cannot_be_read_is_listed_shown_and_replayed(
    operator: Client, source: WebhookSource, post_signal: Post
) -> None:
    post_signal(b"[<script>alert(1)</script>")
    item = InboxItem.objects.get()

    listed = operator.get(reverse("admin:webhooks_inboxitem_changelist")).content.decode()
    shown = operator.get(reverse("admin:webhooks_inboxitem_change", args=[item.pk])).content.decode()
    operator.post(reverse("admin:webhooks_inboxitem_replay", args=[item.pk]))
    item.refresh_from_db()

    assert "The body is not JSON" in listed
    assert '[<mark class="crm-mark" title="Reading stopped here">&lt;</mark>script&gt;alert(1)' in shown
    assert "Reading stopped at character 2: Expecting value." in shown
    assert item.state == InboxState.PENDING


def test_the_chosen_ones_are_replayed(operator: Client, source: WebhookSource, post_signal: Post) -> None:
    for body in (b"[", b"{", b"x"):
        post_signal(body)
    chosen = [str(pk) for pk in InboxItem.objects.order_by("pk").values_list("pk", flat=True)[:2]]

    operator.post(
        reverse("admin:webhooks_inboxitem_changelist"), {"action": "replay_selected", "_selected_action": chosen}
    )

    assert InboxItem.objects.filter(state=InboxState.PENDING).count() == 2
    assert InboxItem.objects.filter(state=InboxState.QUARANTINED).count() == 1


def test_the_log_counts_repeats_and_finds_a_signal_by_its_id(
    operator: Client, source: WebhookSource, post_signal: Post, example_body: Callable[..., dict[str, Any]]
) -> None:
    for _ in range(3):
        answer = post_signal(example_body())

    page = operator.get(reverse("admin:webhooks_webhookdelivery_changelist")).content.decode()
    found = operator.get(reverse("admin:webhooks_webhookdelivery_changelist"), {"q": answer.json()["id"]})

    assert "2 more" in page
    assert found.context["cl"].result_count == 1


def test_a_list_of_deliveries_reads_no_bodies(
    operator: Client,
    source: WebhookSource,
    post_signal: Post,
    example_body: Callable[..., dict[str, Any]],
    django_assert_max_num_queries: Any,
) -> None:
    path = reverse("admin:webhooks_webhookdelivery_changelist")
    for number in range(12):
        post_signal(example_body(num_events=number))

    operator.get(path)  # the first look of an hour is written down

    with django_assert_max_num_queries(14) as queries:
        operator.get(path)

    assert not [query for query in queries.captured_queries if '"webhooks_webhookdelivery"."body",' in query["sql"]]


class TestShowingABody:
    def test_json_is_indented(self) -> None:
        assert bodies.show(b'{"a":"\xc3\xa9"}').text == '{\n  "a": "é"\n}'

    def test_other_bytes_are_shown_as_they_came(self) -> None:
        shown = bodies.show(b"\xff<b>")
        assert (shown.text, shown.is_json, shown.is_text) == ("�<b>", False, False)

    def test_a_long_body_is_cut(self) -> None:
        shown = bodies.show(b'"' + b"x" * 200_000 + b'"')
        assert shown.is_cut
        assert len(shown.text) == bodies.SHOWN_BYTES

    def test_a_bottomless_body_is_only_text(self) -> None:
        assert not bodies.show(b"[" * 60_000).is_json


class TestChangingTheSecret:
    @pytest.mark.parametrize(("choice", "days"), [("DAY", 1), ("WEEK", 7), ("UNTIL_REMOVED", None)])
    def test_the_old_one_stays_valid_as_long_as_chosen(
        self, operator: Client, source: WebhookSource, choice: str, days: int | None
    ) -> None:
        before = timezone.now()
        operator.post(page(source, "secret"), {"secret": "the new one", "keep_old": choice})

        old, new = source.secrets.order_by("pk")
        assert new.expires_at is None
        if days is None:
            assert old.expires_at is None
        else:
            assert timedelta(days=days) <= old.expires_at - before < timedelta(days=days, minutes=1)

    def test_both_are_accepted_until_the_old_one_expires(
        self, operator: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        operator.post(page(source, "secret"), {"secret": "the new one", "keep_old": "DAY"})
        both = [
            post_signal({"num_events": n}, secret=s).status_code for n, s in enumerate(("whsec_test", "the new one"))
        ]
        source.secrets.exclude(expires_at=None).update(expires_at=timezone.now() - timedelta(seconds=2))
        after = [
            post_signal({"num_loops": n}, secret=s).status_code for n, s in enumerate(("whsec_test", "the new one"))
        ]

        assert both == [200, 200]
        assert after == [401, 200]

    def test_an_expired_one_is_shown_and_can_be_used_again(
        self, operator: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        secret = source.secrets.get()
        source.secrets.update(expires_at=timezone.now() - timedelta(hours=1))
        shown = operator.get(page(source)).content.decode()
        refused = post_signal({"num_events": 1}).status_code

        operator.post(reverse("admin:webhooks_webhooksource_keep_secret", args=[source.pk, secret.pk]))

        assert "No secret is valid any more" in shown
        assert "Use it again" in shown
        assert "keep_old" not in shown  # there is no valid one to keep
        assert refused == 401
        assert post_signal({"num_events": 2}).status_code == 200

    def test_the_page_warns_when_the_last_one_will_end(self, operator: Client, source: WebhookSource) -> None:
        source.secrets.update(expires_at=timezone.now() + timedelta(days=2))

        assert "The last secret ends on" in operator.get(page(source)).content.decode()

    def test_only_those_who_may_paste_one_keep_one(self, sign_in: Callable[..., Client], source: WebhookSource) -> None:
        path = reverse("admin:webhooks_webhooksource_keep_secret", args=[source.pk, source.secrets.get().pk])

        assert sign_in(Role.MARKETER).post(path).status_code == 403
        assert sign_in(Role.OPERATOR).get(path).status_code == 403


class TestAlerts:
    @pytest.fixture
    def alerts(self, source: WebhookSource) -> None:
        now = timezone.now()
        ConnectionAlert.objects.create(
            source=source, kind="SILENT", detail="No signal since 14:05 <b>.", opened_at=now - timedelta(hours=1)
        )
        ConnectionAlert.objects.create(
            source=source, kind="CERTIFICATE", detail="It ends on 3 May.", opened_at=now, is_urgent=False
        )
        ConnectionAlert.objects.create(
            source=source, kind="INBOX", detail="Signals wait.", opened_at=now, resolved_at=now
        )

    def test_are_shown_at_home_and_on_the_connection(
        self, operator: Client, source: WebhookSource, alerts: None
    ) -> None:
        home = operator.get("/admin/").content.decode()
        shown = operator.get(page(source)).content.decode()

        assert "Insightarc: No signal since 14:05 &lt;b&gt;." in home
        assert "It ends on 3 May." in home
        assert "Signals wait." not in home
        assert shown.count("No signal since 14:05 &lt;b&gt;.") == 1  # the state of the connection says it already
        assert "It ends on 3 May." in shown
        assert "Lately over" in shown

    def test_a_full_inbox_shows_even_while_no_worker_looks(
        self, operator: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        post_signal({"num_events": 1}, at=timezone.now() - timedelta(minutes=5))

        assert "are the workers running?" in operator.get("/admin/").content.decode()

    def test_of_another_store_are_not_shown(
        self, sign_in: Callable[..., Client], source: WebhookSource, alerts: None
    ) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example")

        assert "No signal since" not in sign_in(Role.OWNER, store=other).get("/admin/").content.decode()

    def test_what_our_probe_found_stands_beside_the_address(self, operator: Client, source: WebhookSource) -> None:
        now = timezone.now()
        AddressProbe.objects.create(
            source=source,
            url=source.registered_urls[0],
            url_sha256=b"x",
            asked_at=now,
            outcome="BAD_CERTIFICATE",
            problem="The certificate is for another name.",
            certificate_expires_at=now + timedelta(days=12, hours=1),
        )

        shown = operator.get(page(source)).content.decode()

        assert "The certificate is for another name." in shown
        assert "12 days left" in shown


def test_expired_secrets_are_forgotten_after_a_month(source: WebhookSource) -> None:
    now = timezone.now()
    for days in (29, 31):
        WebhookSecret.objects.create(source=source, secret=f"{days}", expires_at=now - timedelta(days=days))

    assert services.forget_expired_secrets(now=now) == 1
    assert {row.secret for row in source.secrets.all()} == {"whsec_test", "29"}
