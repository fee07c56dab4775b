"""One run: start everything, break it under load, let it settle, check."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from chaos import invariants, store
from chaos.faults import FAULTS, INTERRUPTING, World, title_of
from chaos.invariants import Findings
from chaos.ledger import CALM, Ledger
from chaos.load import Load, Sender
from chaos.mail_service import MailService, Temper
from chaos.processes import NotWithinTime, wait_until
from chaos.program import Program
from chaos.sampling import Sampler
from chaos.servers import Postgres, Redis
from insightarc_crm.periodic_tasks import EVERY_SECONDS

RETRY_SECONDS = 90
"""A mail that was refused for now is tried again after a minute, give or take."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do."""

    seed: int
    faults: Sequence[str]
    seconds: float
    """How long the load lasts at least; each fault comes once even if that takes longer."""
    rate: float
    """Signals a second."""
    is_short: bool
    lease_seconds: int


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def run(plan: Plan, *, postgres: Postgres, redis: Redis, program: Program, mail_service: MailService) -> Findings:
    """Run the plan on servers and a program that are not started yet, stop them all, and return what was found."""
    ledger = Ledger()
    sampler = Sampler(program.logs / "samples.jsonl", postgres.url, redis.client())
    try:
        postgres.create()
        redis.start()
        mail_service.start()
        sender = Sender(store.set_up(program), ledger)
        connection.close()  # it would not survive what comes
        say("starting two web servers, two workers and beat")
        program.start()
        sampler.start()
        luck = random.Random(f"{plan.seed}/faults")
        world = World(postgres, redis, program, mail_service, sender, ledger, luck, plan.is_short, plan.lease_seconds)
        _break_it(plan, world)
        _settle(plan, ledger)
        say("checking")
        limit = timedelta(
            seconds=2 * plan.lease_seconds + max(EVERY_SECONDS["signals_app.webhooks.tasks.process_inbox"], 30)
        )
        return invariants.check_all(ledger, mail_service.attempts, lag_limit=limit)
    finally:
        connection.close()
        sampler.stop()
        program.stop()
        mail_service.stop()
        redis.kill()
        postgres.remove()


def _break_it(plan: Plan, world: World) -> None:
    world.mail_service.temper = Temper(
        (0.0, 0.15), drops=0.01, refuses=0.01, refuses_for_now=0.0 if plan.is_short else 0.01
    )
    load = Load(world.sender, plan.rate, plan.seed)
    load.start()
    began = time.monotonic()
    try:
        with world.ledger.period(CALM):
            time.sleep(4.0 if plan.is_short else 20.0)
        for number, fault in enumerate(_schedule(plan)):
            if number >= len(plan.faults) and time.monotonic() - began > plan.seconds:
                break
            say(f"{fault}: {title_of(fault)}")
            with world.ledger.period(fault):
                FAULTS[fault](world)
            world.pause(*((0.2, 0.8) if plan.is_short else (2.0, 5.0)))
    finally:
        load.stop()


def _schedule(plan: Plan) -> Iterator[str]:
    """Yield the faults, every one once in each round, in an order of the seed's."""
    luck = random.Random(f"{plan.seed}/schedule")
    while True:
        order = luck.sample(plan.faults, len(plan.faults))
        yield from sorted(order, key=lambda fault: fault not in INTERRUPTING) if plan.is_short else order


def _settle(plan: Plan, ledger: Ledger) -> None:
    """I5: without load, everything comes to its end within two leases and a sweep."""
    began = time.monotonic()
    sweep = max(seconds for task, seconds in EVERY_SECONDS.items() if "recover" in task or "inbox" in task)
    seconds = 2 * plan.lease_seconds + sweep + (0 if plan.is_short else RETRY_SECONDS)
    say(f"waiting until nothing is left to do ({seconds} s at most)")
    try:
        wait_until(lambda: not any(invariants.leftovers().values()), seconds, "nothing is left to do")
    except NotWithinTime:
        ledger.violate("I5", f"left after {seconds} s: {invariants.leftovers()}")
    say(f"settled after {time.monotonic() - began:.1f} s")
