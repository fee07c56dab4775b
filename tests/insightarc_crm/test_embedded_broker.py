"""The embedded broker: nothing is lost or doubled, whoever publishes and whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Connection, Exchange, Queue

from insightarc_crm import embedded_broker
from insightarc_crm.embedded_broker.ownership import Owner
from insightarc_crm.embedded_broker.store import MessageStore, store_at

TAKE_AND_HANG = """
import sys, time
from pathlib import Path
from insightarc_crm.embedded_broker.ownership import Owner
from insightarc_crm.embedded_broker.store import MessageStore
store = MessageStore(Path(sys.argv[1]))
owner = Owner(store.owners)
store.make_private("control", owner.name)
for _ in range(3):
    store.take("work", owner.name)
print("taken", flush=True)
time.sleep(60)
"""
PUBLISH_MANY = """
import sys
from pathlib import Path
from insightarc_crm.embedded_broker.store import MessageStore
store = MessageStore(Path(sys.argv[1]))
for number in range(200):
    store.put("work", f"{sys.argv[2]}-{number}", 0)
"""


@pytest.fixture
def store(tmp_path):
    embedded_broker.register()
    store = store_at(tmp_path / "broker.sqlite3")
    yield store
    store.close()


@contextmanager
def connected(store):
    connection = Connection("embedded://", transport_options={"path": str(store.path), "polling_interval": 0.01})
    with connection:
        yield connection


def child(script, *arguments):
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


def drain(store, queue, owner):
    bodies = []
    while taken := store.take(queue, owner):
        bodies.append(taken.body)
        store.acknowledge(taken.number, owner)
    return bodies


class TestMessageStore:
    def test_hands_out_by_priority_and_then_by_age(self, store):
        for body, priority in [("first", 0), ("second", 0), ("urgent", 9)]:
            store.put("work", body, priority)

        assert drain(store, "work", "me") == ["urgent", "first", "second"]

    def test_hands_a_message_to_one_owner_only(self, store):
        store.put("work", "once", 0)

        assert store.take("work", "me").body == "once"
        assert store.take("work", "you") is None

    def test_ignores_an_acknowledgement_by_someone_who_lost_the_message(self, store):
        store.put("work", "mine now", 0)
        lost = store.take("work", "slow")
        store.release(lost.number, "slow")
        taken = store.take("work", "quick")

        store.acknowledge(lost.number, "slow")

        assert taken.is_redelivered
        store.release(taken.number, "quick")
        assert store.size("work") == 1

    def test_keeps_the_place_of_a_released_message(self, store):
        store.put("work", "first", 0)
        store.put("work", "second", 0)

        store.release(store.take("work", "me").number, "me")

        assert drain(store, "work", "me") == ["first", "second"]

    def test_goes_on_in_a_new_file_when_its_file_is_removed(self, store):
        store.put("work", "lost", 0)
        for path in store.path.parent.glob("broker.sqlite3*"):
            if path.is_file():
                path.unlink()

        store.put("work", "kept", 0)

        assert drain(store, "work", "me") == ["kept"]

    def test_returns_what_a_killed_process_held_and_drops_its_private_queues(self, store):
        for number in range(4):
            store.put("work", f"task {number}", 0)
        with child(TAKE_AND_HANG, str(store.path)) as consumer:
            assert consumer.stdout.readline() == "taken\n"
            store.put("control", "for nobody", 0)
            assert store.forget_dead_owners(living=()) == 0
            assert store.size("work") == 1

            os.kill(consumer.pid, signal.SIGKILL)
            consumer.wait()

        assert store.forget_dead_owners(living=()) == 3
        assert store.size("control") == 0
        assert list(store.owners.iterdir()) == []
        assert drain(store, "work", "me") == ["task 0", "task 1", "task 2", "task 3"]

    @pytest.mark.slow
    def test_loses_and_doubles_nothing_between_several_processes(self, store):
        publishers = [child(PUBLISH_MANY, str(store.path), str(number)) for number in range(3)]
        received: Counter[str] = Counter()
        lock = threading.Lock()

        def consume(owner):
            bodies = []
            while any(publisher.poll() is None for publisher in publishers) or store.size("work"):
                bodies += drain(store, "work", owner)
            store.close()
            with lock:
                received.update(bodies)

        consumers = [threading.Thread(target=consume, args=(f"consumer {number}",)) for number in range(3)]
        for thread in consumers:
            thread.start()
        for thread in consumers:
            thread.join()
        for publisher in publishers:
            publisher.communicate()

        assert len(received) == 600
        assert set(received.values()) == {1}


class TestOwner:
    def test_is_dead_as_soon_as_it_is_closed_or_forgotten(self, store):
        store.put("work", "task", 0)
        owner = Owner(store.owners)
        store.take("work", owner.name)
        assert store.forget_dead_owners(living=()) == 0

        del owner

        assert store.forget_dead_owners(living=()) == 1

    def test_holds_its_file_while_others_look_for_dead_owners(self, store):
        stop = threading.Event()

        def look():
            while not stop.is_set():
                store.forget_dead_owners(living=())
            store.close()

        looker = threading.Thread(target=look)
        looker.start()
        owners = [Owner(store.owners) for _ in range(300)]
        stop.set()
        looker.join()

        assert {path.name for path in store.owners.iterdir()} == {owner.name for owner in owners}
        for owner in owners:
            owner.close()


class TestTransport:
    def test_delivers_what_another_connection_published(self, store):
        with connected(store) as one, connected(store) as two:
            queue = two.SimpleQueue("work")
            one.SimpleQueue("work").put({"id": 7})

            message = queue.get(timeout=5)
            assert message.payload == {"id": 7}
            message.ack()

            with pytest.raises(Empty):
                queue.get(block=False)

    def test_gives_a_message_back_when_the_channel_closes_before_the_acknowledgement(self, store):
        with connected(store) as connection:
            queue = connection.SimpleQueue("work")
            queue.put("unfinished")
            queue.get(timeout=5)

        with connected(store) as connection:
            again = connection.SimpleQueue("work").get(timeout=5)
            assert again.payload == "unfinished"
            assert again.delivery_info["redelivered"] is True
            again.ack()

    def test_copies_a_fanout_message_to_every_queue(self, store):
        exchange = Exchange("news", type="fanout")
        with connected(store) as connection, connected(store) as publisher:
            queues = [Queue(name, exchange)(connection.channel()) for name in ("left", "right")]
            for queue in queues:
                queue.declare()

            publisher.Producer().publish("hello", exchange=exchange, declare=[exchange])

            assert [queue.get(no_ack=True).payload for queue in queues] == ["hello", "hello"]

    def test_drops_the_queue_of_a_reply_that_nobody_waits_for_any_more(self, store):
        with connected(store) as connection:
            reply = Queue("reply", Exchange("replies"), routing_key="reply", auto_delete=True)
            reply(connection.channel()).declare()
            connection.Producer().publish("late", exchange="replies", routing_key="reply")
            assert store.size("reply") == 1

        assert store.size("reply") == 0
        assert store.bindings("replies") == []

    def test_still_finds_its_queues_after_the_file_was_removed(self, store):
        with connected(store) as connection:
            queue = connection.SimpleQueue("work")
            store.path.unlink()

            queue.put("after the loss")

            message = queue.get(timeout=5)
            message.ack()
            assert message.payload == "after the loss"


class TestCelery:
    def test_runs_tasks_and_answers_a_ping(self, store):
        app = Celery("toy", broker="embedded://", set_as_current=False)
        app.conf.update(
            broker_transport_options={"path": str(store.path), "polling_interval": 0.01},
            worker_prefetch_multiplier=16,
            task_ignore_result=True,
            task_acks_late=True,
        )
        done = []

        @app.task(name="toy.note")
        def note(number):
            done.append(number)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Celery's test worker itself uses what it deprecates
            with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
                for number in range(50):
                    note.delay(number)
                answers = app.control.ping(timeout=5, limit=1)
                until = time.monotonic() + 10
                while len(done) < 50 and time.monotonic() < until:
                    time.sleep(0.01)
        app.close()

        assert sorted(done) == list(range(50))
        assert [list(answer.values()) for answer in answers] == [[{"ok": "pong"}]]
        assert store.size("celery") == 0


def test_a_store_takes_a_path_whose_folder_is_not_there_yet(tmp_path):
    store = MessageStore(Path(tmp_path / "new" / "broker.sqlite3"))

    store.put("work", "task", 0)

    assert store.size("work") == 1
    store.close()
