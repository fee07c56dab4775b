"""Replays of many deliveries: in slices, behind live signals, from where they stopped, without doing anything twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.webhooks import pipeline, services
from signals_app.webhooks.constants import InboxState, ReplayScope, ReplayState
from signals_app.webhooks.models import InboxItem, ReplayRun, WebhookDelivery, WebhookSource
from signals_app.webhooks.services import Selection, replay_runs

Post = Callable[..., Any]
NOW = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_runs, "A_SLICE", {})
    monkeypatch.setattr(replay_runs, "A_SLICE_ELSEWHERE", 3)


@pytest.fixture
def posted(post_signal: Post) -> list[WebhookDelivery]:
    """Return ten processed deliveries, an hour apart, the newest an hour old."""
    for hours in range(10, 0, -1):
        post_signal({"num_events": hours}, at=NOW - hours * HOUR)
    while pipeline.process_batch(now=NOW).claimed:
        pass
    return list(WebhookDelivery.objects.order_by("received_at"))


@pytest.fixture
def start(project: Project) -> Callable[..., ReplayRun]:
    def start(**changes: Any) -> ReplayRun:
        selection = Selection(**{"scope": ReplayScope.EVERYTHING, "received_until": NOW} | changes)
        (run,) = services.start_replays(project=project, selection=selection, started_by="ada", now=NOW)
        return run

    return start


def waiting() -> set[Any]:
    return set(InboxItem.objects.filter(state=InboxState.PENDING).values_list("pk", flat=True))


def test_takes_what_came_between_two_times_slice_by_slice(posted: list[WebhookDelivery], start: Any) -> None:
    run = start(received_from=posted[2].received_at, received_until=posted[9].received_at)

    counts = [services.continue_replay(now=NOW).handed_over for _ in range(4)]

    run.refresh_from_db()
    assert counts == [3, 3, 1, 0]
    assert waiting() == {delivery.pk for delivery in posted[2:9]}
    assert (run.state, run.expected, run.handed_over, run.finished_at) == (ReplayState.DONE, 7, 7, NOW)


def test_goes_on_from_its_place_when_a_worker_was_killed(posted: list[WebhookDelivery], start: Any) -> None:
    run = start()
    services.continue_replay(now=NOW)
    # Claimed by a worker that ended there and then.
    ReplayRun.objects.update(lease_token=run.pk, lease_until=NOW + replay_runs.LEASE)

    held = services.continue_replay(now=NOW).handed_over
    after = [services.continue_replay(now=NOW + 2 * replay_runs.LEASE).handed_over for _ in range(4)]

    assert held == 0
    assert after == [3, 3, 1, 0]
    assert waiting() == {delivery.pk for delivery in posted}


def test_moves_its_place_only_together_with_the_slice(
    posted: list[WebhookDelivery], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start()

    def fail(**_: Any) -> int:
        replay_of_all(**_)
        raise RuntimeError("The worker ended here.")

    replay_of_all = replay_runs.replay_slice
    monkeypatch.setattr(replay_runs, "replay_slice", fail)
    with pytest.raises(RuntimeError):
        services.continue_replay(now=NOW)

    run.refresh_from_db()
    assert (run.handed_over, run.last_delivery_id) == (0, None)
    assert waiting() == set()


def test_waits_while_much_is_in_the_inbox(
    posted: list[WebhookDelivery], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_runs, "IN_HAND", 5)
    start()

    first = [services.continue_replay(now=NOW) for _ in range(3)]
    pipeline.process_batch(now=NOW)

    assert [progress.handed_over for progress in first] == [3, 3, 0]
    assert first[2].is_waiting
    assert services.continue_replay(now=NOW).handed_over == 3


def test_waits_with_a_paused_connection(posted: list[WebhookDelivery], start: Any, source: WebhookSource) -> None:
    start()
    services.pause(source=source, now=NOW)

    assert services.continue_replay(now=NOW).handed_over == 0
    services.unpause(source=source, now=NOW)
    assert services.continue_replay(now=NOW).handed_over == 3


def test_ends_although_what_it_replays_comes_back(post_signal: Post, start: Any) -> None:
    for number in range(7):
        post_signal(b"[%d" % number, at=NOW - HOUR)
    run = start(scope=ReplayScope.NEEDS_FIXING)

    for _ in range(5):
        services.continue_replay(now=NOW)
        pipeline.process_batch(now=NOW)

    run.refresh_from_db()
    assert (run.state, run.handed_over) == (ReplayState.DONE, 7)
    assert set(InboxItem.objects.values_list("state", "replays")) == {(InboxState.QUARANTINED, 1)}


def test_stopped_hands_over_no_more(posted: list[WebhookDelivery], start: Any) -> None:
    run = start()
    services.continue_replay(now=NOW)

    assert services.stop_replay(run=run, now=NOW)
    assert not services.stop_replay(run=run, now=NOW)
    assert services.continue_replay(now=NOW).handed_over == 0
    assert len(waiting()) == 3


def test_what_comes_in_after_the_start_is_no_part_of_it(
    posted: list[WebhookDelivery], project: Project, post_signal: Post
) -> None:
    selection = Selection(scope=ReplayScope.EVERYTHING, received_until=NOW + 100 * HOUR)
    (run,) = services.start_replays(project=project, selection=selection, started_by="ada", now=NOW)
    post_signal({"num_events": 99}, at=NOW + HOUR)
    InboxItem.objects.all().delete()

    while services.continue_replay(now=NOW).handed_over:
        pass

    assert run.received_until == NOW
    assert waiting() == {delivery.pk for delivery in posted}


def test_the_page_counts_first_and_then_shows_how_far_it_is(
    sign_in: Callable[..., Client], posted: list[WebhookDelivery], project: Project
) -> None:
    operator = sign_in(Role.OPERATOR)
    address = reverse("admin:webhooks_webhookdelivery_replay_between")
    # On the store's clock, one hour ahead of UTC in winter.
    query = {"received_from": "2026-11-24T03:00:00", "received_until": "2026-11-24T07:00:00"}

    counted = operator.get(address, query).content.decode()
    before = ReplayRun.objects.count()
    started = operator.post(
        f"{address}?received_from={query['received_from']}&received_until={query['received_until']}"
    )
    services.continue_replay(now=timezone.now())
    page = operator.get(started["Location"]).content.decode()

    assert "4 came between these times" in counted
    assert before == 0
    assert ReplayRun.objects.get().expected == 4
    assert "3 of 4" in page
    assert 'http-equiv="refresh"' in page
    assert waiting() == {delivery.pk for delivery in posted if 2 <= delivery.received_at.hour < 6} - {posted[3].pk}


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [("2026-11-24T03:00", "2026-11-24T03:00", "later than"), ("x", "2026-11-24T03:00", "valid date"), ("", "", "")],
)
def test_times_that_cannot_be_are_refused_at_their_field(
    sign_in: Callable[..., Client], source: WebhookSource, start: str, end: str, words: str
) -> None:
    address = reverse("admin:webhooks_webhookdelivery_replay_between")

    answer = sign_in(Role.OPERATOR).post(f"{address}?received_from={start}&received_until={end}")

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not ReplayRun.objects.exists()


def test_another_stores_replay_is_neither_seen_nor_stopped(
    sign_in: Callable[..., Client], posted: list[WebhookDelivery], start: Any
) -> None:
    other = Project.objects.create(slug="other", name="Other", shop_url="https://o.example.com")
    stranger, run = sign_in(Role.OPERATOR, store=other), start()

    assert stranger.get(reverse("admin:webhooks_replayrun_change", args=[run.pk])).status_code == 404
    assert stranger.post(reverse("admin:webhooks_replayrun_stop", args=[run.pk])).status_code == 404
    run.refresh_from_db()
    assert run.state == ReplayState.RUNNING
