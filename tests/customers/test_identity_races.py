"""Merging and undoing at the same moment as others: in real processes, nobody is lost and nothing is half done."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from signals_app.core.exceptions import PermanentError, TransientError
from signals_app.customers import services
from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.customers.parting import Tie, find_parts
from signals_app.projects.models import Project
from signals_app.shopper_signals.models import IntentProfile, ShopperSignal
from signals_app.webhooks import pipeline
from signals_app.webhooks.constants import InboxState
from signals_app.webhooks.models import InboxItem
from tests.customers.worlds import World, assert_true_copies, person

START = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*jobs: Callable[[], Any]) -> None:
    """Run jobs in forked processes with connections of their own, which begin together; fail if one of them failed."""
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # whose connections would be everybody's
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> None:
        code = 1
        try:
            barrier.wait(30)
            job()
            code = 0
        finally:
            connections.close_all()
            os._exit(code)

    processes = [context.Process(target=run, args=(job,)) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(jobs)


def assert_sound(world: World) -> None:
    """Each customer is what its links hold together, and its profile the sum of its signals."""
    kinds = dict(Identifier.objects.filter(project=world.project).values_list("pk", "kind"))
    edges = IdentityEdge.objects.filter(project=world.project).order_by("pk")
    ties = [Tie(edge.pk, edge.left_id, edge.right_id, edge.evidence == "PERSON", edge.is_news) for edge in edges]
    stood: dict[Any, list[int]] = {}
    for pk, owner in Identifier.objects.filter(project=world.project).order_by("pk").values_list("pk", "customer_id"):
        stood.setdefault(owner, []).append(pk)
    assert sorted(stood.values()) == find_parts(kinds, ties).parts
    assert set(stood) == set(Customer.objects.filter(project=world.project).values_list("pk", flat=True))
    for customer_id in stood:
        count = ShopperSignal.objects.filter(identifier__customer=customer_id).count()
        profile = IntentProfile.objects.filter(customer=customer_id).first()
        assert (profile.signal_count if profile else 0) == count


def test_two_merges_that_cross_end_with_one_profile(transactional_db: None) -> None:
    world = World(START)
    for number in range(1, 4):
        world.signal(person(number), number=number, page="tent")

    def merge(one: int, other: int) -> Callable[[], None]:
        first, second = (world.identifier(("external_id", str(number))).customer for number in (one, other))

        def job() -> None:
            with suppress(PermanentError):  # the other one was faster, and says so
                services.merge(customer=first, other=second, by="Eve", now=world.now)

        return job

    at_once(merge(1, 2), merge(2, 1), merge(2, 3), merge(3, 1))

    assert_sound(world)
    assert Customer.objects.filter(project=world.project).count() <= 2


def test_undoing_while_signals_come_loses_none_of_them(transactional_db: None) -> None:
    world = World(START)
    for number in (1, 2):
        world.signal(person(number) | {"anonymous_id": f"b{number}"}, number=number, page="tent")
    names = [("external_id", "1"), ("external_id", "2")]
    services.merge(
        customer=world.identifier(names[0]).customer, other=world.identifier(names[1]).customer, by="Eve", now=world.now
    )
    edge = world.edge(*names)
    assert edge is not None

    def signals(first: int) -> Callable[[], None]:
        def job() -> None:
            for number in range(first, first + 20):
                who = number % 2 + 1
                for _ in range(10):
                    try:
                        world.signal(person(who) | {"anonymous_id": f"b{who}"}, number=number, page="lamp")
                        break
                    except TransientError:
                        continue

        return job

    def undo_and_join() -> None:
        for _ in range(3):
            link = world.edge(*names)
            if link is not None:
                services.undo_link(edge=link, by="Eve", now=world.now)
            one, other = (world.identifier(name).customer for name in names)
            services.merge(customer=one, other=other, by="Eve", now=world.now)
        link = world.edge(*names)
        assert link is not None
        services.undo_link(edge=link, by="Eve", now=world.now)

    at_once(signals(100), signals(200), undo_and_join)

    assert_sound(world)
    assert ShopperSignal.objects.filter(project=world.project).count() == 42
    assert world.identifier(names[0]).customer_id != world.identifier(names[1]).customer_id


def test_copies_stay_true_while_profiles_are_joined_and_parted(transactional_db: None) -> None:
    world = World(START)
    for number in (1, 2):
        world.signal(person(number), number=number, page="tent")
    names = [("external_id", "1"), ("external_id", "2")]

    def tell(first: int) -> Callable[[], None]:
        def job() -> None:
            for number in range(first, first + 24):
                who, is_odd = dict([names[number % 2]]), number % 3 == 1
                at = world.now + timedelta(seconds=number)
                services.record_consent(project=world.project, identifiers=who, granted=is_odd, source="form", now=at)
                services.record_order(
                    project=world.project,
                    # Known orders stay with their own shopper, whoever is named beside them.
                    identifiers=who,
                    order_id=f"R-{number % 4}",
                    total=Decimal(10),
                    currency="EUR",
                    placed_at=at,
                    state="placed" if is_odd else "cancelled",
                    now=at,
                )

        return job

    def join_and_part() -> None:
        for _ in range(12):
            one, other = (world.identifier(name).customer for name in names)
            services.merge(customer=one, other=other, by="Eve", now=world.now)
            link = world.edge(*names)
            assert link is not None
            services.undo_link(edge=link, by="Eve", now=world.now)

    at_once(tell(0), tell(1), join_and_part)

    assert_sound(world)
    assert_true_copies(world.project)


def test_undoing_while_the_pipeline_works_leaves_every_signal_with_its_shopper(
    project: Project, post_signal: Callable[..., Any], example_body: Callable[..., Any]
) -> None:
    now = timezone.now()
    names = [("external_id", "anna-1"), ("external_id", "anna-2")]
    customers = [services.identify(project=project, identifiers=dict([name]), now=now).customer for name in names]
    services.merge(customer=customers[0], other=customers[1], by="Eve", now=now)
    for number in range(60):
        who = number % 2 + 1
        body = example_body(
            user_id=f"anna-{who}", email=f"anna{who}@example.com", anonymous_id=f"b{number % 6}", num_events=number
        )
        post_signal(body | {"session_id": f"v{number}"}, at=now)
    world = World.of(project, now)

    def work() -> None:
        for _ in range(200):
            pipeline.process_batch(now=timezone.now(), limit=5)
            if not InboxItem.objects.filter(state=InboxState.PENDING).exists():
                return
            time.sleep(0.01)

    def part_and_join() -> None:
        for _ in range(4):
            link = world.edge(*names)
            if link is not None:
                services.undo_link(edge=link, by="Eve", now=now)
            one, other = (world.identifier(name).customer for name in names)
            if one != other:
                services.merge(customer=one, other=other, by="Eve", now=now)

    at_once(work, work, part_and_join)

    assert ShopperSignal.objects.filter(project=project, identifier__kind="external_id").count() == 60
    assert_sound(world)
