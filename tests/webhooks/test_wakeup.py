import threading
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from signals_app.webhooks import wakeup
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem
from signals_app.webhooks.wakeup import Waker


def test_any_number_of_requests_wake_at_most_four_times_a_second() -> None:
    published: list[float] = []
    waker = Waker(lambda: published.append(time.monotonic()))

    begun = time.monotonic()
    while time.monotonic() - begun < 0.6:
        waker.ask()

    assert 1 <= len(published) <= 3
    assert all(later - sooner >= 0.24 for sooner, later in pairwise(published))


def test_a_broker_that_fails_does_not_end_the_wake_ups() -> None:
    tried: list[int] = []
    came_through = threading.Event()

    def publish() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise ConnectionRefusedError
        came_through.set()

    waker = Waker(publish)
    for _ in range(100):
        waker.ask()
        if came_through.wait(0.05):
            break

    assert came_through.is_set()


def test_a_broker_that_hangs_holds_no_request() -> None:
    release = threading.Event()
    waker = Waker(release.wait)

    begun = time.monotonic()
    for _ in range(1_000):
        waker.ask()
    took = time.monotonic() - begun
    release.set()

    assert took < 1


@pytest.mark.django_db
class TestWorkersThatAreBehind:
    @pytest.fixture
    def item(self, post_signal: Any) -> InboxItem:
        post_signal({"num_events": 1})
        return InboxItem.objects.get()

    @staticmethod
    def wait_since(seconds: float, **changes: Any) -> None:
        InboxItem.objects.update(due_at=timezone.now() - timedelta(seconds=seconds), **changes)

    def test_are_not_those_with_something_fresh(self, item: InboxItem) -> None:
        assert not wakeup._are_behind()

    def test_have_let_something_wait(self, item: InboxItem) -> None:
        self.wait_since(6)

        assert wakeup._are_behind()

    def test_are_not_those_who_have_it_in_hand(self, item: InboxItem) -> None:
        self.wait_since(60, lease_until=timezone.now() + timedelta(seconds=60))

        assert not wakeup._are_behind()

    def test_are_not_held_up_by_what_needs_fixing(self, item: InboxItem) -> None:
        self.wait_since(3600, state=InboxState.QUARANTINED)

        assert not wakeup._are_behind()
