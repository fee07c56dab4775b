"""What has been kept long enough is deleted, a little at a time, and nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from axes.models import AccessFailureLog
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from insightarc_crm import retention, tasks
from signals_app.core import pruning
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, ErasureReport, ErasureTombstone
from signals_app.emails.models import EmailMessage
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact, FailedFact
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import ShopperSignal
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import HourlyCount, InboxItem, SeenBody, WebhookDelivery, WebhookSource
from tests.insightarc_crm.furnishing import furnish
from tests.whole_database import tables_that_say

Post = Callable[..., Any]


@pytest.fixture
def aged(post_signal: Post) -> Callable[..., WebhookDelivery]:
    """Return a processed delivery that came some days ago."""

    def aged(days: float, body: Any = None, *, processed: bool = True) -> WebhookDelivery:
        known = set(WebhookDelivery.objects.values_list("pk", flat=True))
        post_signal(body or {"num_events": len(known)}, at=timezone.now() - timedelta(days=days))
        if processed:
            pipeline.process_batch(now=timezone.now())
        return WebhookDelivery.objects.exclude(pk__in=known).get()

    return aged


def prune(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("prune", *arguments, stdout=out)
    return dict(json.loads(out.getvalue()))


def test_old_deliveries_go_and_their_signals_stay(aged: Any, settings: Any) -> None:
    settings.KEEP_DELIVERIES_DAYS = 10
    old, fresh = aged(10.1), aged(9.9)

    counted = prune("--dry-run")["would_delete"]["deliveries"]
    kept = WebhookDelivery.objects.count()
    answer = prune()

    assert (counted, kept, answer["deleted"]["deliveries"], answer["is_all"]) == (1, 2, 1, True)
    assert set(WebhookDelivery.objects.values_list("pk", flat=True)) == {fresh.pk}
    assert set(ShopperSignal.objects.values_list("pk", flat=True)) == {old.pk, fresh.pk}


def test_zero_days_keep_deliveries_for_ever(aged: Any, settings: Any) -> None:
    settings.KEEP_DELIVERIES_DAYS = 0
    aged(5_000)

    assert prune()["deleted"]["deliveries"] == 0


def test_what_waits_or_needs_fixing_is_kept_and_what_was_set_aside_goes(aged: Any, settings: Any) -> None:
    settings.KEEP_DELIVERIES_DAYS = 10
    waits, stuck, aside = aged(20, processed=False), aged(20, b"[1"), aged(20, b"[2")
    services.set_aside(items=InboxItem.objects.filter(pk=aside.pk), by="ada", now=timezone.now())
    InboxItem.objects.filter(pk=waits.pk).delete()
    services.replay(deliveries=[waits], now=timezone.now())

    prune()

    assert set(WebhookDelivery.objects.values_list("pk", flat=True)) == {waits.pk, stuck.pk}
    assert set(InboxItem.objects.values_list("pk", flat=True)) == {waits.pk, stuck.pk}


def test_a_delivery_that_is_gone_is_not_replayed(aged: Any, settings: Any) -> None:
    settings.KEEP_DELIVERIES_DAYS = 10
    old = aged(20)
    prune()

    assert services.replay(deliveries=[old], now=timezone.now()) == 0
    assert not InboxItem.objects.exists()


def test_bodies_are_remembered_a_day_longer_than_they_count_as_repeats(
    aged: Any, source: WebhookSource, settings: Any
) -> None:
    settings.KEEP_SEEN_BODIES_DAYS = 1
    WebhookSource.objects.update(duplicate_window_seconds=3 * 86_400)
    aged(0)
    found = {}
    for days in (3.9, 4.1):
        SeenBody.objects.update(accepted_at=timezone.now() - timedelta(days=days))
        prune()
        found[days] = SeenBody.objects.count()

    assert found == {3.9: 1, 4.1: 0}


def test_counts_and_facts_go_after_their_time_but_no_fact_that_nobody_has_seen(
    source: WebhookSource, project: Project, settings: Any
) -> None:
    now = timezone.now()
    for days in (399, 401):
        HourlyCount.objects.create(source=source, hour=now - timedelta(days=days), outcome="DUPLICATE", count=1)
    for days, position in ((89, 2), (91, 1), (92, None)):
        fact = Fact.objects.create(project=project, kind=FactKind.SIGNAL_RECORDED, subject_ids=["x"], position=position)
        Fact.objects.filter(pk=fact.pk).update(recorded_at=now - timedelta(days=days))
        if position:
            FailedFact.objects.create(reader="r", fact=fact, subject_ids=["x"], error="ValueError")

    prune()

    assert HourlyCount.objects.get().hour == now - timedelta(days=399)
    assert set(Fact.objects.values_list("position", flat=True)) == {2, None}
    assert set(FailedFact.objects.values_list("fact__position", flat=True)) == {2}


def test_it_stops_when_its_time_is_over_and_goes_on_when_called_again(
    source: WebhookSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "LARGEST", pruning.SMALLEST)
    _old_bodies(source, 5 * pruning.SMALLEST)

    none = prune("--seconds", "0")
    left = SeenBody.objects.count()
    rest = prune()

    assert (none["deleted"]["remembered bodies"], none["is_all"], left) == (0, False, 5 * pruning.SMALLEST)
    assert (rest["deleted"]["remembered bodies"], rest["is_all"]) == (5 * pruning.SMALLEST, True)


def test_whose_time_is_over_in_the_middle_of_a_slice_is_not_all(project: Project) -> None:
    profiles = [Customer.objects.create(project=project) for _ in range(3)]

    def one_and_the_time_is_over(pks: list[Any], stop_at: float) -> int:
        Customer.objects.filter(pk=pks[0]).delete()
        time.sleep(max(0.0, stop_at - time.monotonic()))
        return 1

    kind = pruning.Prunable(
        "profiles", lambda now: [Customer.objects.order_by("pk")], delete_outside=one_and_the_time_is_over
    )
    found = pruning.prune(kind, now=timezone.now(), stop_at=time.monotonic() + 0.05)

    assert found == (1, False)
    assert Customer.objects.count() == len(profiles) - 1


def test_the_task_asks_for_another_turn_only_when_there_is_more(
    source: WebhookSource, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PUBLISH_WAKE_UPS = True
    asked: list[int] = []
    monkeypatch.setattr(tasks.prune, "delay", lambda: asked.append(1))
    _old_bodies(source, 3)

    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    first = tasks.prune()
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 60)
    second = tasks.prune()

    assert (first, second, len(asked)) == (0, 3, 1)


def test_each_slice_is_a_transaction_of_few_rows(source: WebhookSource) -> None:
    _old_bodies(source, 100)
    prunable = next(each for each in retention.PRUNABLES if each.name == "remembered bodies")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        pruning.prune(prunable, now=timezone.now(), stop_at=time.monotonic() + 60)

    deletes = [query["sql"] for query in queries.captured_queries if query["sql"].startswith("DELETE")]
    assert len(deletes) >= 2
    assert deletes[0].count(",") == pruning.SMALLEST - 1


@given(size=st.integers(pruning.SMALLEST, pruning.LARGEST), took=st.floats(0, 100))
def test_the_size_of_a_slice_follows_its_time_within_limits(size: int, took: float) -> None:
    following = pruning.next_size(size, took)

    assert pruning.SMALLEST <= following <= pruning.LARGEST
    assert following <= size or took * 1_000 < pruning.MILLISECONDS_A_SLICE


@pytest.mark.django_db(transaction=True)
def test_a_replay_at_the_same_moment_loses_nothing(aged: Any, settings: Any) -> None:
    """Whichever comes first, a delivery is either gone or replayed, and nothing fails."""
    settings.KEEP_DELIVERIES_DAYS = 10
    for _ in range(30):
        aged(20, processed=False)
    InboxItem.objects.all().delete()
    deliveries = list(WebhookDelivery.objects.order_by("pk"))
    failures: list[BaseException] = []

    def at_once(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as failure:  # noqa: BLE001 - whatever it is, the test has to show it
                failures.append(failure)
            finally:
                connection.close()

        return threading.Thread(target=run)

    threads = [
        at_once(prune),
        at_once(lambda: [services.replay(deliveries=[each], now=timezone.now()) for each in deliveries]),
        at_once(prune),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    replayed = set(InboxItem.objects.values_list("pk", flat=True))
    assert set(WebhookDelivery.objects.values_list("pk", flat=True)) == replayed
    assert set(InboxItem.objects.values_list("state", flat=True)) <= {InboxState.PENDING}


def _old_bodies(source: WebhookSource, number: int) -> None:
    old = timezone.now() - timedelta(days=60)
    SeenBody.objects.bulk_create(
        SeenBody(source=source, body_sha256=index.to_bytes(32, "big"), delivery_id=source.pk, accepted_at=old)
        for index in range(number)
    )


class TestShoppersWhoDoNotComeBack:
    @pytest.fixture
    def visitors(self, project: Project, post_signal: Post) -> None:
        """Three who came long ago (one has ordered since), one of late, and a signal that names nobody."""
        now = timezone.now()
        for number, (name, days) in enumerate((("old", 200), ("loyal", 200), ("older", 400), ("new", 10), (None, 200))):
            body = {"num_events": number} | ({"email": f"{name}@example.com"} if name else {})
            post_signal(body, at=now - timedelta(days=days))
        pipeline.process_batch(now=now)
        customer_services.record_order(
            project=project, identifiers={"email": "loyal@example.com"}, order_id="1", total=Decimal(1), currency="EUR",
            placed_at=now - timedelta(days=30), now=now,
        )  # fmt: skip

    def test_stay_unless_somebody_chose_otherwise(self, visitors: None, settings: Any) -> None:
        assert settings.KEEP_UNSEEN_SHOPPERS_MONTHS == 0
        assert prune()["deleted"]["shoppers not seen any more"] == 0
        assert (Customer.objects.count(), ShopperSignal.objects.count()) == (4, 5)

    def test_go_with_all_that_is_known_of_them_and_may_come_back(
        self, visitors: None, settings: Any, project: Project, post_signal: Post
    ) -> None:
        settings.KEEP_UNSEEN_SHOPPERS_MONTHS = 6

        counted = prune("--dry-run")["would_delete"]
        deleted = prune()["deleted"]

        assert counted["shoppers not seen any more"] == deleted["shoppers not seen any more"] == 2
        assert deleted["signals that name nobody"] == 1
        assert set(Customer.objects.values_list("email", flat=True)) == {"loyal@example.com", "new@example.com"}
        assert tables_that_say(["old@example.com", "older@example.com"]) == []
        assert not ErasureReport.objects.exists()
        assert not ErasureTombstone.objects.exists()
        post_signal({"num_events": 9, "email": "old@example.com"}, at=timezone.now())
        pipeline.process_batch(now=timezone.now())
        assert Customer.objects.filter(email="old@example.com").exists()


def test_what_mails_said_goes_and_that_they_were_sent_stays(project: Project, settings: Any) -> None:
    settings.KEEP_MAIL_CONTENT_DAYS = 100
    message = furnish(project, "aurora")["emails.EmailMessage"]
    EmailMessage.objects.update(created_at=timezone.now() - timedelta(days=101), finished_at=timezone.now())

    assert prune()["deleted"]["contents of mails"] == 1
    assert prune()["deleted"]["contents of mails"] == 0
    assert EmailMessage.objects.filter(pk=message.pk).values_list("state", "html", "text").get() == ("sent", "", "")


def test_every_table_that_grows_has_a_time_or_a_reason() -> None:
    timed = {prunable.model for prunable in retention.PRUNABLES} | {AccessFailureLog}
    reasoned = {apps.get_model(label) for label in retention.KEPT}
    hangs_on = {  # goes with what it belongs to, or people make its rows
        "customers": {"Identifier", "IdentityEdge", "IdentityConflict", "MergedCustomer", "LinkRemoval", "Consent"},
        "shopper_signals": {"IntentProfile", "Interest", "RecomputeRun"},
        "webhooks": {
            *("InboxItem", "WebhookSource", "WebhookSecret", "ShopDelivery", "AddressProbe", "CoverageCursor"),
        },
        "audit": {"PruneRun"},
        "facts": {"FactReader", "FailedFact"},
        "catalog": {"ProductFeed", "Coupon", "UrlPatterns", "PageAlias"},
        "segments": {"Segment"},
        "projects": {"Project", "Membership", "ApiKey", "SavedView"},
        "emails": {"SenderIdentity", "EmailTemplate", "HistoricalEmailTemplate"},
        "storefront": {"Storefront", "CallWindow"},
        "shops": {"ShopConnection", "ShopTopic", "ShopObject", "RefundSeen", "PrivacyRequest"},
        "remarketing": {"Calibration", "SendPolicy", "RemarketingRule", "RuleVariant", "HistoricalRemarketingRule"},
    }
    known = {f"{room}.{name}" for room, names in hangs_on.items() for name in names}
    own = [model for model in apps.get_models() if model.__module__.startswith("signals_app.")]

    assert [m._meta.label for m in own if m not in timed | reasoned and m._meta.label not in known] == []
    assert all(prunable.about and prunable.kept_for() for prunable in retention.PRUNABLES)
    assert all(prunable.setting in dir(django_settings) for prunable in retention.PRUNABLES if prunable.setting)


def test_the_page_says_how_long_things_are_kept_and_what_went_last(
    aged: Any, settings: Any, sign_in: Callable[..., Any]
) -> None:
    settings.KEEP_DELIVERIES_DAYS = 10
    aged(20)
    oldest = aged(5)
    prune()

    text = sign_in(Role.OWNER).get("/admin/retention/").content.decode()

    assert "Raw requests, word for word" in text
    assert "10 days" in text
    assert "1 deleted" in text
    on_the_stores_clock = timezone.localtime(oldest.received_at, ZoneInfo(oldest.source.project.time_zone))
    assert f"{on_the_stores_clock:%-d %B %Y}" in text
    assert "KEEP_UNSEEN_SHOPPERS_MONTHS" in text
