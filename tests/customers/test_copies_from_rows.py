"""A profile's consent and whether it has ordered are always what the rows of its known IDs say, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from signals_app.customers import services
from signals_app.customers.constants import Evidence, OrderState
from signals_app.customers.exceptions import InvalidInput
from signals_app.customers.import_rows import ConsentRow, OrderRow, ProfileRow
from signals_app.customers.joining import Key
from signals_app.customers.models import Customer, Identifier, IdentityEdge, Order
from signals_app.customers.services import Sighting, importing
from signals_app.projects.models import Project
from signals_app.transfers.kinds import ImportContext, Row
from tests.customers.worlds import Name, World, assert_true_copies

START = datetime(2026, 11, 20, 12, tzinfo=UTC)

names = st.sampled_from(
    [
        *(("external_id", str(number)) for number in (1, 2)),
        *(("email", f"{number}@example.com") for number in (1, 2, 3)),
        *(("anonymous_id", f"b{number}") for number in (1, 2)),
    ]
)
people = st.dictionaries(st.sampled_from(["external_id", "email", "anonymous_id"]), st.integers(1, 3), min_size=1).map(
    lambda numbers: {kind: _value(kind, number) for kind, number in numbers.items()}
)
order_ids = st.sampled_from(["R-1", "R-2", "R-3"])
states = st.sampled_from(OrderState.values)
days_ago = st.integers(0, 3)
topics = st.sampled_from(["marketing", "marketing", "tracking"])

steps = st.lists(
    st.one_of(
        st.tuples(st.just("seen"), people),
        st.tuples(st.just("say"), people),
        st.tuples(st.just("consent"), people, topics, st.booleans(), days_ago),
        st.tuples(st.just("consent"), people, topics, st.booleans(), days_ago),
        st.tuples(st.just("order"), people | st.just({}), order_ids, states),
        st.tuples(st.just("order"), people, order_ids, states),
        st.tuples(st.just("refund"), order_ids, st.sampled_from([0, 5, 10])),
        st.tuples(st.just("merge"), names, names),
        st.tuples(st.just("undo"), st.integers(0, 20)),
        st.tuples(st.just("undo all"), st.sampled_from(Evidence.values)),
        st.tuples(st.just("erase"), names),
        st.tuples(st.just("profiles"), st.lists(people, min_size=1, max_size=4)),
        st.tuples(
            st.just("consents"), st.lists(st.tuples(people, topics, st.booleans(), days_ago), min_size=1, max_size=5)
        ),
        st.tuples(
            st.just("orders"),
            st.lists(st.tuples(people | st.just({}), order_ids, st.none() | states), min_size=1, max_size=5),
        ),
    ),
    min_size=2,
    max_size=12,
)


def _value(kind: str, number: int) -> str:
    return {"external_id": str(number), "email": f"{number}@example.com"}.get(kind, f"b{number}")


def _keys(identifiers: dict[str, str]) -> tuple[Key, ...]:
    return tuple(
        Key(kind, identifiers[kind]) for kind in ("external_id", "email", "anonymous_id") if kind in identifiers
    )


def do(world: World, kind: str, *what: Any) -> None:
    """Let one thing happen through the services; what they refuse does not happen."""
    now, project = world.tick(), world.project
    context = ImportContext(project, {}, f"import:{world.number}", "a file", now)
    match kind:
        case "seen":
            services.resolve(project=project, sightings=[Sighting("it", what[0])], now=now)
        case "say":
            services.identify(project=project, identifiers=what[0], attributes={"first_name": "Ada"}, now=now)
        case "consent":
            said, topic, granted, days = what
            services.record_consent(
                project=project,
                identifiers=said,
                topic=topic,
                granted=granted,
                source="form",
                occurred_at=now - timedelta(days=days),
                now=now,
            )
        case "order":
            _order(project, *what, now=now)
        case "refund":
            if (order := Order.objects.filter(project=project, order_id=what[0]).first()) is not None:
                services.set_refunded(order=order, refunded_total=Decimal(what[1]), now=now)
        case "merge":
            found = [Customer.objects.filter(identifiers__in=_identifiers(project, name)).first() for name in what]
            if None not in found and found[0] != found[1]:
                services.merge(customer=found[0], other=found[1], by="Eve", now=now)  # type: ignore[arg-type]
        case "undo":
            edges = list(IdentityEdge.objects.filter(project=project, left__customer__erased_at=None).order_by("pk"))
            if edges:
                services.undo_link(edge=edges[what[0] % len(edges)], by="Eve", now=now)
        case "undo all":
            services.undo_links_of_kind(project=project, evidence=what[0], by="Eve", now=now)
            while services.continue_removals(now=now):
                pass
        case "erase":
            if (
                customer := Customer.objects.filter(identifiers__in=_identifiers(project, what[0])).first()
            ) is not None:
                services.erase_customer(customer=customer, now=now)
        case "profiles":
            importing.import_profiles(context, [Row(*row) for row in enumerate(_profiles(what[0]))])
        case "consents":
            importing.import_consents(context, [Row(*row) for row in enumerate(_consents(what[0], now))])
        case "orders":
            importing.import_orders(context, [Row(*row) for row in enumerate(_orders(what[0], now))])


def _identifiers(project: Project, name: Name) -> Any:
    return Identifier.objects.filter(project=project, kind=name[0], value=name[1])


def _order(project: Project, identifiers: dict[str, str], order_id: str, state: str, *, now: datetime) -> None:
    services.record_order(
        project=project,
        identifiers=identifiers,
        order_id=order_id,
        total=Decimal(10),
        currency="EUR",
        placed_at=now,
        state=state,
        now=now,
    )


def _profiles(rows: list[dict[str, str]]) -> list[ProfileRow]:
    return [ProfileRow(_keys(said), {"city": f"Town {number}"}) for number, said in enumerate(rows)]


def _consents(rows: list[tuple[Any, ...]], now: datetime) -> list[ConsentRow]:
    return [
        ConsentRow(_keys(said), topic, granted, "list", "", now - timedelta(days=days))
        for said, topic, granted, days in rows
    ]


def _orders(rows: list[tuple[Any, ...]], now: datetime) -> list[OrderRow]:
    return [
        OrderRow(_keys(said), order_id, Decimal(10), "EUR", now, state, None, None) for said, order_id, state in rows
    ]


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=steps)
@example(
    story=[
        ("consent", {"email": "1@example.com"}, "marketing", True, 0),
        ("consent", {"external_id": "2"}, "marketing", False, 0),
        ("order", {"external_id": "2"}, "R-1", "placed"),
        ("merge", ("email", "1@example.com"), ("external_id", "2")),
        ("undo", 0),
    ]
)
@example(
    story=[
        ("consents", [({"anonymous_id": "b1"}, "marketing", False, 1)]),
        ("orders", [({"anonymous_id": "b1"}, "R-1", None), ({"anonymous_id": "b1"}, "R-2", None)]),
        ("seen", {"email": "1@example.com", "anonymous_id": "b1"}),
        ("orders", [({}, "R-1", "cancelled")]),
        ("order", {"email": "2@example.com"}, "R-2", "cancelled"),
    ]
)
def test_copies_say_what_the_rows_say(db: None, story: list[tuple[Any, ...]]) -> None:
    world = World(START)

    for step in story:
        try:
            do(world, *step)
        except InvalidInput:
            event(f"refused: {step[0]}")
        assert_true_copies(world.project)


def test_rows_from_before_the_copies_fill_them(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("signals_app.customers.migrations.0009_fill_profile_copies")
    monkeypatch.setattr(migration, "AT_ONCE", 2)
    world = World(START)
    for number in range(1, 6):
        person = {"email": f"{number}@example.com"}
        do(world, "consent", person, "marketing", number % 2 == 0, 0)
        do(world, "consent", person, "tracking", number % 2 == 1, 0)
        do(world, "order", person, f"R-{number}", "cancelled" if number == 3 else "placed")
    do(world, "merge", ("email", "1@example.com"), ("email", "2@example.com"))
    Customer.objects.update(marketing_consent=None, has_ordered=False)

    migration.fill(apps, connection.schema_editor())

    assert_true_copies(world.project)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Gather what the database is asked meanwhile."""
    asked: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield asked


def test_a_new_shopper_is_written_once(db: None) -> None:
    world = World(START)

    for step in (
        ("seen", {"anonymous_id": "b1"}),
        ("say", {"external_id": "1"}),
        ("consent", {"email": "2@example.com"}, "marketing", True, 0),
        ("profiles", [{"email": "3@example.com"}]),
        ("consents", [({"email": "4@example.com"}, "marketing", False, 0)]),
    ):
        with statements() as asked:
            do(world, *step)
        assert [one for one in asked if one.startswith('UPDATE "customers_customer"')] == []

    assert_true_copies(world.project)
    assert Customer.objects.exclude(last_seen_at=None).count() == 3  # lists do not say that they are here
    assert Customer.objects.filter(attributes={"city": "Town 0"}).exists()


def test_answers_are_found_by_keys_alone(db: None) -> None:
    """A join of consents with known IDs reads all of both while the planner does not know yet how many they are."""
    world = World(START)
    do(world, "consent", {"email": "1@example.com"}, "marketing", True, 1)

    with statements() as asked:
        do(world, "consent", {"email": "1@example.com"}, "marketing", False, 0)

    assert [one for one in asked if '"customers_consent"' in one and '"customers_identifier"' in one] == []
