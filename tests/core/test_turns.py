"""At most so many at a time; nobody's call is lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from signals_app.core.turns import in_turn

THREADS = 8


def wait_until(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.parametrize("allowed", [1, 3])
def test_at_most_so_many_are_at_work(allowed):
    at_work, most, lock, may_end = 0, 0, threading.Lock(), threading.Event()

    @in_turn(threads=allowed)
    def work():
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        may_end.wait(20)
        with lock:
            at_work -= 1

    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(work) for _ in range(THREADS)]
        wait_until(lambda: sum(call.done() for call in calls) == THREADS - allowed)
        may_end.set()
        for call in calls:
            call.result(timeout=20)

    assert most == allowed


def test_a_call_during_the_work_has_it_done_once_more():
    began, may_go_on, times = threading.Event(), threading.Event(), []

    @in_turn()
    def work():
        times.append(None)
        began.set()
        may_go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work)
        began.wait(20)
        work()
        work()
        may_go_on.set()
        first.result(timeout=20)

    assert len(times) == 2


def test_an_error_gives_the_turn_back():
    @in_turn()
    def work(fails):
        if fails:
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError):
        work(True)
    work(False)


def test_the_work_keeps_its_name():
    @in_turn()
    def send_due():
        """Send."""

    assert (send_due.__name__, send_due.__doc__) == ("send_due", "Send.")
