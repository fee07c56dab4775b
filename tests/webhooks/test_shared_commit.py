"""One thread commits for all that wait: nobody waits for ever, nobody suffers for another."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, OperationalError

from signals_app.core.models import new_id
from signals_app.webhooks import inbox, shared_commit
from signals_app.webhooks.constants import DeliveryVerdict
from signals_app.webhooks.shared_commit import SharedCommit

THREADS = 12
Keep = Callable[[Sequence[inbox.Arrival]], list[inbox.Receipt]]


class Disk:
    """In the place of the database: notes the groups that it is given, and is as slow or broken as a test wants."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.fails: Callable[[Sequence[inbox.Arrival]], Exception | None] = lambda arrivals: None

    def keep(self, arrivals: Sequence[inbox.Arrival]) -> list[inbox.Receipt]:
        self.groups.append([arrival.body for arrival in arrivals])
        assert self.is_open.wait(30)
        if error := self.fails(arrivals):
            raise error
        return [inbox.Receipt(UUID(bytes=arrival.body.rjust(16, b"\0")), False) for arrival in arrivals]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(shared_commit.inbox, "keep", disk.keep)
    return disk


def arrival(number: int) -> inbox.Arrival:
    return inbox.Arrival(new_id(), b"%d" % number, DeliveryVerdict.ACCEPTED)


def keep_all(shared: SharedCommit, numbers: Sequence[int]) -> list[Any]:
    def keep(number: int) -> Any:
        try:
            return shared.keep(arrival(number))
        except Exception as error:  # noqa: BLE001 - what was raised is what the test looks at
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(keep, numbers))


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_lone_request_is_committed_at_once(disk: Disk) -> None:
    SharedCommit().keep(arrival(7))

    assert disk.groups == [[b"7"]]


def test_each_gets_its_own_receipt(disk: Disk) -> None:
    receipts = keep_all(SharedCommit(), range(500))

    assert [int(receipt.delivery_id.bytes.strip(b"\0")) for receipt in receipts] == list(range(500))
    assert sorted(int(body) for group in disk.groups for body in group) == list(range(500))


def test_those_who_come_during_a_commit_share_the_next_one(disk: Disk) -> None:
    disk.is_open.clear()
    shared = SharedCommit()
    with ThreadPoolExecutor(THREADS) as pool:
        receipts = [pool.submit(shared.keep, arrival(number)) for number in range(THREADS)]
        wait_until(lambda: len(shared._queue) == THREADS - 1)
        disk.is_open.set()
        assert all(receipt.result(timeout=20) for receipt in receipts)

    assert [len(group) for group in disk.groups] == [1, THREADS - 1]


def test_who_waits_too_long_is_told_so_and_not_committed_later(disk: Disk) -> None:
    disk.is_open.clear()
    shared = SharedCommit(longest_wait_seconds=0.05)
    with ThreadPoolExecutor(THREADS) as pool:
        leader = pool.submit(shared.keep, arrival(1))
        wait_until(lambda: disk.groups == [[b"1"]])

        with pytest.raises(OperationalError):
            shared.keep(arrival(2))

        disk.is_open.set()
        leader.result(timeout=20)
    assert shared.keep(arrival(3))
    assert disk.groups == [[b"1"], [b"3"]]


def test_a_failed_group_fails_for_each_and_for_nobody_after(disk: Disk) -> None:
    disk.fails = lambda arrivals: OperationalError("gone")
    shared = SharedCommit()

    assert {type(outcome) for outcome in keep_all(shared, range(50))} == {OperationalError}

    disk.fails = lambda arrivals: None
    assert {type(outcome) for outcome in keep_all(shared, range(50))} == {inbox.Receipt}


def test_one_that_is_refused_holds_no_other(disk: Disk) -> None:
    disk.fails = lambda arrivals: DataError("refused") if b"13" in [one.body for one in arrivals] else None

    outcomes = keep_all(SharedCommit(), range(50))

    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, DataError)] == [13]


def test_something_unforeseen_leaves_nobody_waiting(disk: Disk) -> None:
    disk.fails = lambda arrivals: RuntimeError("unforeseen")
    shared = SharedCommit()

    outcomes = keep_all(shared, range(30))

    assert {type(outcome) for outcome in outcomes} <= {RuntimeError, OperationalError}
    assert not shared._is_led
    assert not shared._queue


def test_the_lead_is_never_lost_among_many_who_give_up(disk: Disk) -> None:
    shared = SharedCommit(longest_wait_seconds=0.002)

    def now_and_then(arrivals: Sequence[inbox.Arrival]) -> Exception | None:
        time.sleep(0.002)
        return None

    disk.fails = now_and_then
    outcomes = keep_all(shared, range(1_000))

    assert {type(outcome) for outcome in outcomes} <= {inbox.Receipt, OperationalError}
    assert not shared._is_led
    assert shared.keep(arrival(1))
