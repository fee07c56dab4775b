"""What requests remember of a source for a second, and what is read again before anything is refused."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from signals_app.core.models import new_id
from signals_app.webhooks import signature
from signals_app.webhooks.constants import SignatureForm
from signals_app.webhooks.known_sources import KnownSource, KnownSources
from signals_app.webhooks.models import WebhookSecret, WebhookSource

Queries = Callable[[int], Any]


@pytest.fixture(autouse=True)
def _remembered_for_an_hour(settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 3600


@pytest.fixture
def post(client: Client, source: WebhookSource) -> Callable[..., int]:
    def post(secret: str, body: bytes = b"{}", url: str = "") -> int:
        signed = signature.sign(secret, body, url or source.registered_urls[0])
        path = f"/webhooks/insightarc/{source.id}/"
        return client.generic("POST", path, body, headers={signature.HEADER: signed}).status_code

    return post


def test_a_source_is_read_once(source: WebhookSource, django_assert_num_queries: Queries) -> None:
    known = KnownSources()

    with django_assert_num_queries(3):
        assert [known.find(source.id).id for _ in range(5)] == [source.id] * 5


def test_a_source_that_did_not_change_is_read_again_in_one_query(
    source: WebhookSource, settings: Any, django_assert_num_queries: Queries
) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0
    known = KnownSources()
    first = known.find(source.id)

    with django_assert_num_queries(1):
        again = known.find(source.id)

    assert again.read_at > first.read_at
    assert replace(again, read_at=first.read_at) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda source: WebhookSource.objects.update(is_paused=True),
        lambda source: WebhookSource.objects.update(registered_urls=["https://new.example.com/hook"]),
        lambda source: WebhookSource.objects.update(signature_form=SignatureForm.LOW_BYTE),
        lambda source: WebhookSource.objects.update(duplicate_window_seconds=7),
        lambda source: WebhookSecret.objects.create(source=source, secret="second"),
        lambda source: source.secrets.update(expires_at=timezone.now()),
        lambda source: source.secrets.all().delete(),
    ],
)
def test_whatever_changes_is_seen(source: WebhookSource, settings: Any, change: Callable[[WebhookSource], Any]) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0
    known = KnownSources()
    first = known.find(source.id)

    change(source)

    again = known.find(source.id)
    assert replace(again, read_at=first.read_at) != first


def test_a_source_is_read_again_after_a_second(source: WebhookSource, settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0
    known = KnownSources()
    assert not known.find(source.id).is_paused

    WebhookSource.objects.update(is_paused=True)

    assert known.find(source.id).is_paused


def test_a_remembered_source_is_forgotten_with_its_row(source: WebhookSource, settings: Any) -> None:
    known = KnownSources()
    known.find(source.id)
    source.delete()
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0

    with pytest.raises(WebhookSource.DoesNotExist):
        known.find(source.id)


def test_an_unknown_source_is_looked_for_each_time(client: Client, project: Any) -> None:
    source_id = new_id()
    path = f"/webhooks/insightarc/{source_id}/"
    assert client.head(path).status_code == 404

    WebhookSource.objects.create(id=source_id, project=project)

    assert client.head(path).status_code == 200


def test_a_new_secret_counts_at_once(
    post: Callable[..., int], source: WebhookSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_app.webhooks.known_sources.JUST_READ_SECONDS", 0)
    assert post("whsec_test") == 200

    WebhookSecret.objects.create(source=source, secret="fresh")

    assert post("fresh", b'{"a":1}') == 200


def test_a_new_address_counts_at_once(
    post: Callable[..., int], source: WebhookSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_app.webhooks.known_sources.JUST_READ_SECONDS", 0)
    assert post("whsec_test") == 200

    source.registered_urls = [*source.registered_urls, "https://new.example.com/hook"]
    source.save()

    assert post("whsec_test", b'{"a":1}', url="https://new.example.com/hook") == 200


def test_a_secret_expires_although_it_is_remembered(post: Callable[..., int], source: WebhookSource) -> None:
    WebhookSecret.objects.create(source=source, secret="old", expires_at=timezone.now() - timedelta(seconds=1))

    assert post("old") == 401


def test_a_flood_of_forgeries_is_no_flood_of_queries(post: Callable[..., int], settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 1
    post("whsec_test")
    asked = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "webhooks_webhooksecret" in sql:
            asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert {post("wrong", b'{"a":%d}' % number) for number in range(20)} == {401}

    assert len(asked) < 20


def test_while_the_database_hangs_requests_wait_at_the_same_time(
    source: WebhookSource, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_app.webhooks.known_sources.LONGEST_WAIT_SECONDS", 0.05)
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 0
    known, hangs, answers = KnownSources(), threading.Event(), threading.Event()

    def hang(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        hangs.set()
        assert answers.wait(10)
        return execute(sql, params, many, context)

    def ask_meanwhile() -> None:
        assert hangs.wait(10)
        try:
            with pytest.raises(OperationalError):
                known.find(source.id)
        finally:
            answers.set()

    with ThreadPoolExecutor() as pool, connection.execute_wrapper(hang):
        meanwhile = pool.submit(ask_meanwhile)
        found = known.find(source.id)
        meanwhile.result()

    assert found.id == source.id


def test_a_verified_request_asks_for_nothing_but_its_commit(post: Callable[..., int]) -> None:
    post("whsec_test")
    statements = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert post("whsec_test", b'{"a":1}') == 200

    assert not [sql for sql in statements if "webhooks_webhooksecret" in sql or "django_session" in sql]
    if connection.vendor == "postgresql":
        assert len(statements) == 1


def test_while_one_thread_reads_again_the_others_go_on_with_what_is_known(source: WebhookSource, settings: Any) -> None:
    settings.WEBHOOK_SOURCE_CACHE_SECONDS = 1
    known, hangs, answers = KnownSources(), threading.Event(), threading.Event()
    before = known.find(source.id)
    WebhookSource.objects.update(is_paused=True)
    time.sleep(0.6)  # past half of the time for which it counts, and long before its end

    def hang(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        hangs.set()
        assert answers.wait(10)
        return execute(sql, params, many, context)

    def ask_meanwhile() -> KnownSource:
        assert hangs.wait(10)
        try:
            settings.WEBHOOK_SOURCE_CACHE_SECONDS = 600  # however slow this machine is
            return known.find(source.id)
        finally:
            answers.set()

    with ThreadPoolExecutor() as pool, connection.execute_wrapper(hang):
        meanwhile = pool.submit(ask_meanwhile)
        found = known.find(source.id)

    assert meanwhile.result() is before
    assert found.is_paused
