"""Several requests and several workers at once, each with a database connection of its own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from celery import signals
from django.db import DataError, OperationalError, connection
from django.test import Client
from django.utils import timezone

from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.webhooks import inbox, pipeline, shared_commit, signature, tasks
from signals_app.webhooks.constants import DeliveryVerdict
from signals_app.webhooks.javascript import stringify
from signals_app.webhooks.models import InboxItem, SeenBody, WebhookDelivery, WebhookSource

pytestmark = pytest.mark.django_db(transaction=True)


def is_refused(parameter: Any) -> bool:
    """Tell whether a parameter of a statement is the body that the database shall refuse; each driver wraps it."""
    text = bytes(parameter).decode("utf-8", "replace") if isinstance(parameter, bytes | memoryview) else repr(parameter)
    return '{"a":666}' in text or b'{"a":666}'.hex() in text


def at_once(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    def and_close(item: Any) -> Any:
        try:
            return work(item)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(and_close, items))


@pytest.fixture
def post(source: WebhookSource) -> Callable[[bytes], str]:
    url = source.registered_urls[0]

    def post(body: bytes) -> str:
        response = Client().generic(
            "POST",
            f"/webhooks/insightarc/{source.id}/",
            body,
            headers={signature.HEADER: signature.sign("whsec_test", body, url)},
        )
        assert response.status_code == 200
        return str(response.json()["status"])

    return post


def test_the_same_bytes_at_once_are_accepted_once(post: Callable[[bytes], str]) -> None:
    statuses = at_once(post, [b'{"num_events":%d}' % (number % 5) for number in range(40)])

    assert Counter(statuses) == {"accepted": 5, "duplicate": 35}
    assert WebhookDelivery.objects.count() == 5
    assert sum(SeenBody.objects.values_list("duplicate_count", flat=True)) == 35


def test_several_workers_process_each_delivery_once(
    post: Callable[[bytes], str], example_body: Callable[..., dict[str, Any]]
) -> None:
    shoppers = [{"user_id": f"u{number % 7}", "email": f"u{number % 7}@example.com"} for number in range(30)]
    bodies = [stringify(example_body(num_events=n, **who)).encode() for n, who in enumerate(shoppers)]
    at_once(post, bodies)

    now = timezone.now()
    reports = at_once(lambda _: pipeline.process_batch(now=now, limit=4), list(range(12)))

    assert sum(report.processed for report in reports) == 30
    assert sum(report.failed + report.quarantined for report in reports) == 0
    assert not InboxItem.objects.exists()
    assert ShopperSignal.objects.count() == 30
    assert sum(IntentProfile.objects.values_list("signal_count", flat=True)) == 30


class TestASharedCommit:
    BODIES = (b'{"a":1}', b'{"a":666}', b'{"a":3}')

    @staticmethod
    def settle(source: WebhookSource, error: Exception) -> list[Any]:
        """Commit three arrivals together, one of which the database refuses with `error`, whatever batch it is in."""

        def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "webhooks_webhookdelivery" in sql and any(map(is_refused, params)):
                raise error
            return execute(sql, params, many, context)

        shared = shared_commit.SharedCommit()
        waiting = [
            shared_commit._Waiting(inbox.Arrival(source.id, body, DeliveryVerdict.ACCEPTED))
            for body in TestASharedCommit.BODIES
        ]
        with inbox.lasting_connection.get().execute_wrapper(refuse):
            shared._settle(waiting)
        return waiting

    def test_leaves_out_only_what_the_database_refuses(self, source: WebhookSource) -> None:
        waiting = self.settle(source, DataError("invalid"))

        assert [one.receipt is not None for one in waiting] == [True, False, True]
        assert isinstance(waiting[1].error, DataError)
        assert WebhookDelivery.objects.count() == 2

    def test_fails_for_all_when_the_database_is_gone(self, source: WebhookSource) -> None:
        waiting = self.settle(source, OperationalError("server closed the connection"))

        assert all(isinstance(one.error, OperationalError) for one in waiting)
        assert not WebhookDelivery.objects.exists()

    def test_leaves_nobody_waiting_when_something_unforeseen_happens(self, source: WebhookSource) -> None:
        with pytest.raises(RuntimeError):
            self.settle(source, RuntimeError("unforeseen"))


def test_the_task_empties_the_inbox(post: Callable[[bytes], str]) -> None:
    for number in range(3):
        post(b'{"num_events":%d}' % number)

    at_once(lambda _: tasks.process_inbox(), list(range(4)))

    assert ShopperSignal.objects.count() == 3
    assert not InboxItem.objects.exists()


@pytest.mark.parametrize(("seconds", "published"), [(0, 1), (20, 0)])
def test_the_task_asks_for_another_turn_only_when_its_time_is_over(
    post: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch, settings: Any, seconds: int, published: int
) -> None:
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", seconds)
    asked: list[str] = []

    def note(sender: str, **_: Any) -> None:
        asked.append(sender)

    post(b"{}")
    settings.PUBLISH_WAKE_UPS = True
    signals.before_task_publish.connect(note)
    try:
        tasks.process_inbox()
    finally:
        signals.before_task_publish.disconnect(note)

    assert asked.count(tasks.process_inbox.name) == published
    assert InboxItem.objects.exists() is (seconds == 0)


def test_the_task_releases_what_was_parked_after_the_source_went_on(
    post: Callable[[bytes], str], source: WebhookSource
) -> None:
    WebhookSource.objects.update(is_paused=True)
    assert post(b"{}") == "parked"
    WebhookSource.objects.update(is_paused=False)

    tasks.process_inbox()

    assert ShopperSignal.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server that could go away")
def test_a_batch_whose_connection_ends_is_done_over_another(
    post: Callable[[bytes], str], example_body: Callable[..., dict[str, Any]]
) -> None:
    for number in range(4):
        post(stringify(example_body(num_events=number)).encode())
    ended = []

    def end_the_connection(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO" in sql and "shoppersignal" in sql and not ended:
            ended.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(end_the_connection):
        report = pipeline.process_batch(now=timezone.now())

    assert ended
    assert (report.processed, report.failed) == (4, 0)
    assert ShopperSignal.objects.count() == 4


def test_repeats_that_cannot_be_counted_are_repeats_all_the_same(source: WebhookSource) -> None:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "webhooks_hourlycount" in sql:
            raise OperationalError("no place left")
        return execute(sql, params, many, context)

    arrivals = [inbox.Arrival(source.id, b"{}", DeliveryVerdict.ACCEPTED, 600) for _ in range(2)]
    with connection.execute_wrapper(refuse):
        receipts = inbox.keep(arrivals)

    assert [receipt.is_duplicate for receipt in receipts] == [False, True]
    assert WebhookDelivery.objects.count() == 1
