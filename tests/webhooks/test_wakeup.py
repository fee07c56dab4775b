import threading
import time
from itertools import pairwise

from signals_app.webhooks.wakeup import Waker


def test_any_number_of_requests_wake_at_most_every_100_ms() -> None:
    published: list[float] = []
    waker = Waker(lambda: published.append(time.monotonic()))

    begun = time.monotonic()
    while time.monotonic() - begun < 0.35:
        waker.ask()

    assert 1 <= len(published) <= 4
    assert all(later - sooner >= 0.09 for sooner, later in pairwise(published))


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
