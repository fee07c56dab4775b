"""The faults F1 to F13: each breaks something while the load goes on, and lets it heal."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from chaos.ledger import CALM, Ledger, Posting
from chaos.load import DEAD_CLICK, HESITATING, LEAVING, Sender, at_once
from chaos.mail_service import MailService, Temper
from chaos.processes import NotWithinTime, wait_until
from chaos.program import Program, answers
from chaos.servers import Postgres, Redis

WORKER_CONCURRENCY = 4
HEALED_WITHIN_SECONDS = 60.0
WORKERS_BACK_WITHIN_SECONDS = 30.0
ENOUGH_TO_COMPARE = 20


@dataclass
class World:
    """Everything there is to break, and what to break it with."""

    postgres: Postgres
    redis: Redis
    program: Program
    mail_service: MailService
    sender: Sender
    ledger: Ledger
    luck: random.Random
    is_short: bool
    lease_seconds: int
    count: int = 0

    def pause(self, low: float, high: float) -> None:
        time.sleep(self.luck.uniform(low, high))

    def times(self, short: int, full: int) -> int:
        return short if self.is_short else full

    def fresh(self, name: str) -> str:
        """Return a shopper who has not been there yet."""
        self.count += 1
        return f"{name}-{self.count}"

    def interrupt_worker(self, what: str) -> None:
        self.ledger.interrupt(what, WORKER_CONCURRENCY)

    def interrupt_database(self, what: str) -> None:
        """Each thread of each worker may have been waiting for the mail service with a mail it can then not finish."""
        self.ledger.interrupt(what, WORKER_CONCURRENCY * len(self.program.workers))

    def signals_of(self, token: str) -> int:
        """Count the signals that a body became, straight from the database; 0 while that does not answer."""
        query = "SELECT count(*) FROM shopper_signals_shoppersignal WHERE extra ->> 'token' = %s"
        try:
            with psycopg.connect(self.postgres.url, connect_timeout=5) as database:
                row = database.execute(query, [token]).fetchone()
        except psycopg.OperationalError:
            return 0
        return int(row[0]) if row else 0

    def expect_healed(self, fault: str, within: float, *, since: float | None = None) -> None:
        """Post a signal and see that it is processed in time, whatever was broken before."""
        began = time.monotonic() if since is None else since
        posting = self.sender.post(self.fresh("probe"), LEAVING, luck=self.luck)
        try:
            wait_until(
                lambda: self.signals_of(posting.token) > 0,
                max(1.0, within - (time.monotonic() - began)),
                f"a signal that came after {fault} is processed ({posting.acked_ids})",
            )
        except NotWithinTime as late:
            self.ledger.violate("I5", str(late))
        self.ledger.note(fault, f"worked again after {time.monotonic() - began:.1f} s")


def kill_workers(world: World) -> None:
    """F1: kill a worker with all that it has started, best while it hands over a mail."""
    for _ in range(world.times(1, 4)):
        for victim in world.luck.sample(world.program.workers, 2):
            _wait_for_mail_on_its_way(world)
            world.interrupt_worker(f"kill {victim.name}")
            victim.kill()
            world.pause(0.1, 1.0)
            victim.start()
        # The second one goes while the first is still starting, so that for a while none is left.
        for worker in world.program.workers:
            worker.wait_until_ready()


def kill_worker_children(world: World) -> None:
    """F2: kill the worker process only; its parent starts it again."""
    for _ in range(world.times(1, 5)):
        victim = world.luck.choice(world.program.workers)
        _wait_for_mail_on_its_way(world)
        world.interrupt_worker(f"kill the child of {victim.name}")
        victim.kill_child(world.luck)
        victim.wait_until_ready()
        world.pause(0.5, 2.0)


def roll_out(world: World) -> None:
    """F3: end and start each part in turn, as a deployment does."""
    parts = [*world.program.webs, *world.program.workers, world.program.beat]
    for _ in range(world.times(1, 2)):
        for part in world.luck.sample(parts, len(parts)):
            code = part.terminate()
            if code != 0:
                world.ledger.violate("I5", f"{part.name} ended with {code} at SIGTERM")
            part.start()
            part.wait_until_ready()


def kill_webs(world: World) -> None:
    """F4: kill a web server at any moment, so also between a commit and its answer; the sender tries again."""
    for turn in range(world.times(2, 8)):
        victim = world.luck.choice(world.program.webs)
        burst = threading.Thread(target=_burst, args=(world, 16))
        burst.start()
        world.pause(0.0, 0.06)
        if turn % 2:
            victim.kill_child(world.luck)
        else:
            victim.kill()
            victim.start()
        burst.join()
        victim.wait_until_ready()


def restart_database(world: World) -> None:
    """F5: PostgreSQL ends, once in order and once by a crash, and is there again a moment later."""
    for mode in ("fast", "immediate") * world.times(1, 2):
        world.interrupt_database(f"PostgreSQL stops ({mode})")
        world.postgres.stop(mode)
        world.pause(0.3, 1.5 if world.is_short else 6.0)
        world.postgres.start()
        began = time.monotonic()
        for web in world.program.webs:
            assert web.port is not None
            if not answers(web.port, "/readyz"):
                world.ledger.violate("I6", f"{web.name} did not answer the first request after PostgreSQL was back")
        world.expect_healed("F5", WORKERS_BACK_WITHIN_SECONDS + world.lease_seconds, since=began)


def forget_messages(world: World) -> None:
    """F6: Redis forgets everything, by FLUSHALL and by a restart without persistence."""
    for _ in range(world.times(2, 6)):
        world.redis.client().flushall()
        world.pause(0.2, 0.8)
    world.redis.kill()
    world.pause(0.0, 0.5)
    world.redis.start()
    world.expect_healed("F6", HEALED_WITHIN_SECONDS)


def fill_disk(world: World) -> None:
    """F7: no room for the database, then room again; PostgreSQL is started again if it gave up, as a service would be."""
    world.interrupt_database("the disk is full")
    if world.postgres.can_fill_its_disk:
        world.postgres.fill_disk()
        world.pause(8.0, 12.0)
        world.interrupt_database("the disk has room again")
        world.postgres.free_disk()
        if not world.postgres.is_running():
            world.ledger.note("F7", "PostgreSQL had ended and was started again")
            world.postgres.start()
    else:
        world.ledger.note("F7", "simulated: this machine lets us mount no small disk, so inserts were refused instead")
        _refuse_inserts(world)
    world.expect_healed("F7", HEALED_WITHIN_SECONDS)


def deliver_again(world: World) -> None:
    """F8: the broker hands out messages a second time while the first run of their tasks goes on (visibility timeout)."""
    previous, world.mail_service.temper = world.mail_service.temper, Temper(delay_seconds=(0.3, 0.6))
    copied = 0
    until = time.monotonic() + world.times(5, 20)
    with world.redis.client() as client:
        while time.monotonic() < until:
            for stored in client.hvals("unacked"):
                copied += _deliver_copy(client, stored)
            time.sleep(0.1)
    world.mail_service.temper = previous
    world.ledger.note("F8", f"{copied} messages delivered again while they were being worked on")
    if not copied:
        world.ledger.violate("I5", "no message was in work while they were to be delivered again: nothing was shown")


def close_broker(world: World) -> None:
    """F9: nothing listens on the broker's port for a while."""
    world.redis.kill()
    began = time.time()
    world.pause(*((3.0, 5.0) if world.is_short else (25.0, 40.0)))
    _note_ack_times(world, "F9", began)
    world.redis.start()
    world.expect_healed("F9", HEALED_WITHIN_SECONDS)


def freeze_broker(world: World) -> None:
    """F10: the broker's port is open and nobody answers there."""
    world.redis.freeze()
    began = time.time()
    world.pause(*((4.0, 6.0) if world.is_short else (20.0, 30.0)))
    _note_ack_times(world, "F10", began)
    world.redis.thaw()
    world.expect_healed("F10", HEALED_WITHIN_SECONDS)


def post_copies(world: World) -> None:
    """F11: fifty copies of the same bytes at once, at both web servers."""
    for _ in range(world.times(3, 20)):
        posting, raw = world.sender.prepare(world.fresh("copies"), LEAVING, luck=world.luck)
        ports = world.sender.address.ports
        at_once([partial(_post_copy, world, posting, raw, ports[number % len(ports)]) for number in range(50)])
        if posting.accepted_count != 1 or posting.duplicate_count != 49 or posting.broken:
            found = f"{posting.accepted_count} accepted, {posting.duplicate_count} duplicate, {posting.broken} broken"
            world.ledger.violate("I1", f"50 copies of {posting.token} were answered: {found}")


def race_for_shoppers(world: World) -> None:
    """F12: several automations want to write to the same shopper at the same moment; one mail a day is allowed."""
    for _ in range(world.times(2, 12)):
        shoppers = [world.fresh("racer") for _ in range(8)]
        at_once([partial(world.sender.consent, one, granted=True, luck=random.Random(one)) for one in shoppers])
        bodies = (LEAVING, DEAD_CLICK, HESITATING, LEAVING | {"num_events": 40})
        jobs = [
            partial(world.sender.post, one, body, luck=random.Random(f"{one}/{body}"))
            for one in shoppers
            for body in bodies
        ]
        world.luck.shuffle(jobs)
        at_once(jobs)


def run_two_beats(world: World) -> None:
    """F13: two beats schedule at once; each is killed in turn."""
    second = world.program.second_beat
    second.start()
    second.wait_until_ready()
    world.pause(*((5.0, 8.0) if world.is_short else (20.0, 30.0)))
    for beat in (world.program.beat, second):
        beat.kill()
        world.pause(0.5, 1.0)
        beat.start()
        beat.wait_until_ready()
    world.pause(1.0, 3.0)
    second.terminate()


FAULTS: dict[str, Callable[[World], None]] = {
    "F1": kill_workers,
    "F2": kill_worker_children,
    "F3": roll_out,
    "F4": kill_webs,
    "F5": restart_database,
    "F6": forget_messages,
    "F7": fill_disk,
    "F8": deliver_again,
    "F9": close_broker,
    "F10": freeze_broker,
    "F11": post_copies,
    "F12": race_for_shoppers,
    "F13": run_two_beats,
}
INTERRUPTING = frozenset({"F1", "F2", "F5"})
"""What they catch on its way is settled a lease and a sweep later, so a short run begins with them."""
SHORT = ("F1", "F4", "F5", "F6", "F8", "F10", "F11", "F12")


def _wait_for_mail_on_its_way(world: World) -> None:
    until = time.monotonic() + 3.0
    while not world.mail_service.open_connections and time.monotonic() < until:
        time.sleep(0.005)
    world.pause(0.0, 0.05)


def _post_copy(world: World, posting: Posting, raw: bytes, port: int) -> None:
    until = time.monotonic() + HEALED_WITHIN_SECONDS
    while not world.sender.attempt(posting, raw, port=port) and time.monotonic() < until:
        time.sleep(0.2)


def _burst(world: World, size: int) -> None:
    shoppers = [world.fresh("burst") for _ in range(size)]
    at_once([partial(world.sender.post, one, LEAVING, luck=random.Random(one)) for one in shoppers])


def _deliver_copy(client: Any, stored: bytes) -> int:
    """
    Put a message that a worker holds into its queue again, as kombu's Redis transport does after the visibility timeout.

    Source: `unacked` holds [message, exchange, routing key] for each message that was handed out and not acknowledged.
    """
    message, _, routing_key = json.loads(stored)
    client.lpush(routing_key, json.dumps(message))
    return 1


def _refuse_inserts(world: World) -> None:
    refuse = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON webhooks_webhookdelivery EXECUTE FUNCTION refuse();
    """
    with psycopg.connect(world.postgres.url, autocommit=True) as database:
        database.execute(refuse)
        world.pause(8.0, 12.0)
        database.execute("DROP FUNCTION refuse CASCADE")


def _note_ack_times(world: World, fault: str, since: float) -> None:
    """Compare how long acknowledgements took with those of the calm: the broker is no part of them."""
    with world.ledger.lock:
        postings = list(world.ledger.postings)
    timed = [(posting.ended_at, posting.first_seconds) for posting in postings if posting.first_seconds is not None]
    calm = [seconds for at, seconds in timed if world.ledger.fault_at(at) == CALM]
    broken = [seconds for at, seconds in timed if at >= since]
    if len(calm) < ENOUGH_TO_COMPARE or len(broken) < ENOUGH_TO_COMPARE:
        world.ledger.note(fault, f"{len(broken)} acknowledgements meanwhile")
        return
    usual, now = statistics.median(calm), statistics.median(broken)
    world.ledger.note(
        fault, f"an acknowledgement took {now * 1000:.0f} ms meanwhile, {usual * 1000:.0f} ms in the calm (medians)"
    )
    if now > 3 * usual + 0.25:
        world.ledger.violate("I6", f"an acknowledgement took {now:.2f} s without a broker, {usual:.2f} s with one")


def title_of(fault: str) -> str:
    """Return what a fault is, from its docstring: the words between its number and the first full stop or comma."""
    return (FAULTS[fault].__doc__ or "").partition(": ")[2].rstrip(".")
