"""From what was posted to what a person finds: signals, profiles, facts, and what needs fixing."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from signals_app.core import claims
from signals_app.customers import services as customers
from signals_app.customers.models import Customer, Identifier
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.constants import MAX_ATTEMPTS, InboxState
from signals_app.webhooks.models import InboxItem, WebhookDelivery, WebhookSecret, WebhookSource

pytestmark = pytest.mark.django_db

Post = Callable[..., Any]
Body = Callable[..., dict[str, Any]]
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
POISON = 666_000_666


@pytest.fixture
def post(post_signal: Post, example_body: Body) -> Callable[..., str]:
    """Post the example body with changes, as it came at `NOW`, and return the id of its delivery."""

    def post(at: datetime = NOW, source: WebhookSource | None = None, **changes: Any) -> str:
        return str(post_signal(example_body(**changes), at=at, source=source).json()["id"])

    return post


@pytest.fixture
def poison() -> Any:
    """Make the database refuse the signal with this many events, whatever batch it is in."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "shopper_signals_shoppersignal" in sql and str(POISON) in str(params):
            raise ValueError("Cannot store this one.")
        return execute(sql, params, many, context)

    return connection.execute_wrapper(refuse)


class TestAnAcceptedDelivery:
    def test_becomes_a_signal_of_a_customer_with_the_same_id(self, post: Callable[..., str], project: Project) -> None:
        delivery_id = post()

        report = pipeline.process_batch(now=NOW)

        signal = ShopperSignal.objects.get()
        assert (report.claimed, report.processed, report.quarantined, report.failed) == (1, 1, 0, 0)
        assert str(signal.id) == delivery_id
        assert (signal.project, signal.received_at, signal.drop_proba, signal.performance) == (project, NOW, 0.97, 1.4)
        assert (signal.identifier.kind, signal.identifier.value) == ("external_id", "anna-1")  # type: ignore[union-attr]
        assert signal.identifier.customer.email == "anna@example.com"  # type: ignore[union-attr]
        assert signal.extra == {"email": "anna@example.com", "user_id": "anna-1"}
        assert signal.issues == []
        assert not InboxItem.objects.exists()
        assert WebhookDelivery.objects.count() == 1

    @pytest.mark.parametrize(
        "ids",
        [
            pytest.param((b"117029384756102938475", b"117029384756102938476"), id="numbers beyond 64 bits"),
            pytest.param((b'"M\xfcller"', b'"M\xf6ller"'), id="bytes that are not UTF-8"),
            pytest.param((b'"\\ud83d-7"', b'"\\ud83e-7"'), id="halves of characters"),
        ],
    )
    def test_is_nobodys_where_reading_left_of_two_ids_the_same(self, post_signal: Post, ids: tuple[bytes, ...]) -> None:
        for user_id in ids:
            post_signal(b'{"user_id": ' + user_id + b', "drop_proba": 0.9}')

        pipeline.process_batch(now=timezone.now())

        assert [signal.identifier for signal in ShopperSignal.objects.all()] == [None, None]
        assert all("user_id" in str(signal.issues) for signal in ShopperSignal.objects.all())

    def test_leaves_facts_of_the_signal_and_the_profile(self, post: Callable[..., str]) -> None:
        ids = [post(num_events=number) for number in range(3)]

        pipeline.process_batch(now=NOW)

        facts = {fact.kind: fact.subject_ids for fact in Fact.objects.all()}
        assert sorted(facts[FactKind.SIGNAL_RECORDED]) == sorted(ids)
        assert facts[FactKind.PROFILE_CHANGED] == [str(Customer.objects.get().id)]

    def test_without_any_identity_is_kept_unlinked(self, post_signal: Post) -> None:
        post_signal({"num_events": 3}, at=NOW)

        pipeline.process_batch(now=NOW)

        assert ShopperSignal.objects.get().identifier is None
        assert not Customer.objects.exists()

    def test_uses_the_mapping_of_its_source_and_keeps_issues(self, post: Callable[..., str], source: Any) -> None:
        services.configure_source(source=source, identity_mapping={"external_id": {"query_parameter": "uid"}})
        post(relevant_events=["/products/a?uid=u7"], user_id=True, email="nonsense", drop_proba="0.9", at=NOW)

        pipeline.process_batch(now=NOW)

        signal = ShopperSignal.objects.get()
        assert signal.identifier.value == "u7"  # type: ignore[union-attr]
        assert {issue["field"] for issue in signal.issues} == {"user_id", "email", "drop_proba"}

    def test_of_each_store_stays_in_its_store(self, post: Callable[..., str], source: WebhookSource) -> None:
        other_store = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        other = services.create_source(project=other_store)
        WebhookSecret.objects.create(source=other, secret="whsec_test")
        post()
        post(source=other)

        pipeline.process_batch(now=NOW)

        assert Customer.objects.filter(project=source.project).count() == 1
        assert Customer.objects.filter(project=other_store).count() == 1
        assert ShopperSignal.objects.filter(project=other_store, identifier__project=other_store).count() == 1

    def test_that_is_not_due_yet_or_parked_waits(self, post: Callable[..., str], source: WebhookSource) -> None:
        post(at=NOW + timedelta(seconds=1))
        services.pause(source=source, now=NOW)
        post(num_events=2)

        assert pipeline.process_batch(now=NOW).claimed == 0


class TestRunningAgain:
    def test_finds_nothing(self, post: Callable[..., str]) -> None:
        post()

        assert pipeline.process_batch(now=NOW).processed == 1
        assert pipeline.process_batch(now=NOW) == pipeline.BatchReport()

    def test_after_a_replay_changes_nothing(self, post: Callable[..., str]) -> None:
        for number in range(3):
            post(num_events=number)
        pipeline.process_batch(now=NOW)
        before = IntentProfile.objects.values().get()
        facts = Fact.objects.count()

        services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW)
        report = pipeline.process_batch(now=NOW)

        assert report.processed == 3
        assert ShopperSignal.objects.count() == 3
        assert IntentProfile.objects.values().get() == before
        assert Fact.objects.count() == facts
        assert not InboxItem.objects.exists()

    def test_after_the_worker_was_killed_processes_it_once_when_the_lease_has_run_out(
        self, post: Callable[..., str]
    ) -> None:
        post()
        claims.claim(InboxItem.objects.all(), now=NOW, lease=pipeline.LEASE, limit=10)  # and then the worker was gone

        assert pipeline.process_batch(now=NOW + pipeline.LEASE - timedelta(seconds=1)).claimed == 0
        assert pipeline.process_batch(now=NOW + pipeline.LEASE).processed == 1
        assert ShopperSignal.objects.count() == 1

    def test_by_a_worker_whose_lease_ran_out_meanwhile_leaves_it_to_the_other(self, post: Callable[..., str]) -> None:
        post()
        slow = claims.claim(InboxItem.objects.all(), now=NOW, lease=pipeline.LEASE, limit=10)
        (batch,) = pipeline._read_all(slow, pipeline.BatchReport(), now=NOW)
        later = NOW + pipeline.LEASE
        claims.claim(InboxItem.objects.all(), now=later, lease=pipeline.LEASE, limit=10)
        report = pipeline.BatchReport()

        pipeline._record_or_split(batch, now=later, report=report)

        assert report.processed == 0
        assert not ShopperSignal.objects.exists()
        assert InboxItem.objects.exists()


class TestPoison:
    def test_holds_nobody_else_and_needs_fixing_after_five_attempts(
        self, post: Callable[..., str], poison: Any
    ) -> None:
        for number in (1, 2, POISON, 3, 4, 5, 6):
            post(num_events=number)

        with poison:
            first = pipeline.process_batch(now=NOW)
            rest = [pipeline.process_batch(now=NOW + timedelta(hours=hour)) for hour in range(1, 7)]

        assert (first.processed, first.failed) == (6, 1)
        assert [(report.failed, report.quarantined) for report in rest] == [(1, 0)] * 3 + [(0, 1)] + [(0, 0)] * 2
        assert sorted(ShopperSignal.objects.values_list("num_events", flat=True)) == [1, 2, 3, 4, 5, 6]
        item = InboxItem.objects.get()
        assert (item.state, item.attempts) == (InboxState.QUARANTINED, MAX_ATTEMPTS)
        assert item.error == "ValueError: Cannot store this one."

    def test_waits_a_little_longer_after_each_attempt(self, post: Callable[..., str], poison: Any) -> None:
        post(num_events=POISON)

        with poison:
            pipeline.process_batch(now=NOW)
            assert pipeline.process_batch(now=NOW + timedelta(seconds=4)).claimed == 0
            assert pipeline.process_batch(now=NOW + timedelta(seconds=5)).failed == 1

        assert InboxItem.objects.get().due_at == NOW + timedelta(seconds=20)

    def test_once_fixed_can_be_replayed(self, post: Callable[..., str], poison: Any) -> None:
        post(num_events=POISON)
        with poison:
            for hour in range(5):
                pipeline.process_batch(now=NOW + timedelta(hours=hour))

        services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW)

        assert pipeline.process_batch(now=NOW).processed == 1
        assert ShopperSignal.objects.get().num_events == POISON

    def test_that_kills_the_worker_is_given_up_after_five_attempts(self, post: Callable[..., str]) -> None:
        post()
        moment = NOW
        for _ in range(MAX_ATTEMPTS):
            claims.claim(InboxItem.objects.all(), now=moment, lease=pipeline.LEASE, limit=10)
            moment += pipeline.LEASE

        report = pipeline.process_batch(now=moment)

        assert (report.processed, report.quarantined) == (0, 1)
        assert InboxItem.objects.get().error == "Given up: the worker ended during each attempt."

    def test_that_killed_a_worker_is_tried_with_fewer_others_and_then_alone(
        self, post: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pipeline, "FAILED_ONCE_AT_A_TIME", 2)
        for number in range(3):
            post(num_events=number)
        claims.claim(InboxItem.objects.all(), now=NOW, lease=pipeline.LEASE, limit=10)

        sizes = [
            [len(claim.pks) for claim in pipeline._claims(now=NOW + pipeline.LEASE * kills, limit=200)]
            for kills in (1, 2)
        ]

        assert sizes == [[2], [1, 1, 1]]

    def test_that_cannot_be_read_needs_fixing_again_after_a_replay(self, post_signal: Post) -> None:
        post_signal(b"[]", at=NOW)
        services.replay(deliveries=WebhookDelivery.objects.all(), now=NOW)

        assert pipeline.process_batch(now=NOW).quarantined == 1
        assert InboxItem.objects.get().error == "The body is JSON, but not an object."


def test_a_deadlock_is_tried_again_at_once(post: Callable[..., str]) -> None:
    post()
    victims = []

    def deadlock(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and "shopper_signals_shoppersignal" in sql and len(victims) < 2:
            victims.append(sql)
            raise OperationalError("deadlock detected")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(deadlock):
        report = pipeline.process_batch(now=NOW)

    assert (len(victims), report.processed, report.failed) == (2, 1, 0)
    assert ShopperSignal.objects.count() == 1


class TestAnErasedPerson:
    def test_leaves_no_delivery_behind_and_is_not_brought_back_by_the_same_bytes(
        self, post: Callable[..., str], post_signal: Post, example_body: Body
    ) -> None:
        post()
        pipeline.process_batch(now=NOW)
        exported = customers.export_customer(customer=Customer.objects.get())
        assert "anna@example.com" in exported["webhooks"]["deliveries"][0]["body"]

        customers.erase_customer(customer=Customer.objects.get(), now=NOW)
        assert not WebhookDelivery.objects.exists()
        assert not ShopperSignal.objects.exists()

        response = post_signal(example_body(), at=NOW)
        pipeline.process_batch(now=NOW)

        assert response.json()["status"] == "accepted"
        signal = ShopperSignal.objects.get()
        assert (signal.identifier, signal.extra, signal.relevant_events, signal.drop_proba) == (None, {}, [], 0.97)
        assert not WebhookDelivery.objects.exists()
        assert not Identifier.objects.exists()


class TestTheReplayCommand:
    @staticmethod
    def run(*arguments: str) -> dict[str, int]:
        out = StringIO()
        call_command("replay_deliveries", *arguments, stdout=out)
        return dict(json.loads(out.getvalue().splitlines()[-1]))

    def test_replays_what_it_is_told(self, post: Callable[..., str], post_signal: Post, source: WebhookSource) -> None:
        ids = [post(num_events=number, at=timezone.now()) for number in range(3)]
        post_signal(b"[]")
        pipeline.process_batch(now=timezone.now())

        assert self.run("--quarantined") == {"selected": 1, "to_process": 1}
        assert self.run(ids[0]) == {"selected": 1, "to_process": 1}
        assert self.run("--source", str(source.id)) == {"selected": 4, "to_process": 2}
        assert self.run("--all") == {"selected": 4, "to_process": 0}
        assert self.run("--until", "2020-01-01") == {"selected": 0, "to_process": 0}

    @pytest.mark.parametrize("arguments", [[], ["not-an-id"]])
    def test_asks_what_is_meant(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError):
            self.run(*arguments)
