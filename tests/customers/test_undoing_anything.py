"""After a link is undone, everything is as in a store in which it never was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from signals_app.customers import services
from signals_app.customers.models import ConsentChange, IdentityConflict, IdentityEdge
from signals_app.shopper_signals.models import ShopperSignal
from tests.customers.worlds import Name, World, person

START = datetime(2026, 11, 20, 12, tzinfo=UTC)

browsers = st.sampled_from(["b1", "b2", "b3"])
visits = st.sampled_from(["v1", "v2"])
pages = st.sampled_from(["tent", "lamp", "boots"])


@st.composite
def sightings(draw: st.DrawFn, people: int) -> dict[str, str]:
    """Identifiers of one signal: a person or none, a browser, a visit."""
    found = person(draw(st.integers(1, people))) if draw(st.booleans()) else {}
    if draw(st.booleans()):
        found |= {"anonymous_id": draw(browsers)}
    if draw(st.booleans()) or not found:
        found |= {"session_id": draw(visits)}
    return found


def steps(people: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    known = st.integers(1, people).flatmap(lambda number: st.sampled_from(sorted(person(number).items())))
    one = st.one_of(
        st.tuples(st.just("signal"), sightings(people), pages),
        st.tuples(st.just("signal"), sightings(people), pages),
        st.tuples(st.just("consent"), known, st.booleans()),
        st.tuples(st.just("say"), known, st.fixed_dictionaries({"plan": st.sampled_from(["gold", "free"])})),
    )
    return st.lists(one, min_size=2, max_size=9)


def play(world: World, story: list[tuple[Any, ...]], *, without: frozenset[Name] = frozenset()) -> None:
    """
    Let a story happen; `without`: two identifiers that are never seen together, although both are seen.

    Of a sighting with both, the one that the signal does not point at is seen alone.
    """
    for number, (kind, *what) in enumerate(story):
        match kind:
            case "signal":
                identifiers, page = what
                stronger = list(dict(sorted(identifiers.items(), key=strength)).items())
                if without <= set(stronger) and stronger[0] in without:
                    (weaker,) = without - {stronger[0]}
                    rest = {kind: value for kind, value in identifiers.items() if (kind, value) != weaker}
                    world.signal(rest, number=number, page=page)
                    world.seen(weaker)
                else:
                    world.signal(identifiers, number=number, page=page)
            case "consent":
                world.consent(what[0], granted=what[1])
            case "say":
                world.say(*what)
            case "merge" if without != frozenset(what):
                one, other = (world.identifier(name).customer for name in what)
                services.merge(customer=one, other=other, by="Eve", now=world.tick())
                world._set_clock(world.now)
            case "merge":
                world.tick()


def strength(item: Name) -> int:
    return ["external_id", "email", "anonymous_id", "session_id"].index(item[0])


def assert_same(one: World, other: World) -> None:
    seen, expected = one.look(), other.look()
    assert seen.keys() == expected.keys()
    for who, found in seen.items():
        wanted = expected[who]
        assert found.pop("levels") == pytest.approx(wanted.pop("levels"), abs=1e-6)
        assert found == wanted


properties = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@properties
@given(story=steps(people=1), data=st.data())
def test_a_link_of_a_machine_undone_is_as_if_it_had_never_been(
    db: None, story: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    world = World(START)
    play(world, story)
    edges = list(IdentityEdge.objects.filter(project=world.project).select_related("left", "right").order_by("pk"))
    assume(edges)
    assume(not IdentityConflict.objects.filter(project=world.project).exists())
    edge = data.draw(st.sampled_from(edges), label="undone")
    pair = frozenset({(edge.left.kind, edge.left.value), (edge.right.kind, edge.right.value)})

    parting = services.undo_link(edge=edge, by="Eve", now=world.now)

    event(f"parts: {len(parting.customers)}")
    never = World(START)
    play(never, story, without=pair)
    assert_same(world, never)


@properties
@given(before=steps(people=2), after=steps(people=2), data=st.data())
def test_a_merge_by_a_person_undone_is_as_if_it_had_never_been(
    db: None, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    names = [("external_id", "1"), ("external_id", "2")]
    both = [("signal", person(1), "tent"), ("signal", person(2), "lamp")]
    story = [*both, *before, ("merge", *names), *after]
    world = World(START)
    play(world, story)
    edge = world.edge(*names)
    assert edge is not None
    assert edge.evidence == "PERSON"

    parting = services.undo_link(edge=edge, by="Eve", now=world.now)

    never = World(START)
    play(never, story, without=frozenset(names))
    assert_same(world, never)
    for one in parting.customers:
        told = [
            *ShopperSignal.objects.filter(identifier__customer=one).values_list("received_at", flat=True),
            *ConsentChange.objects.filter(identifier__customer=one).values_list("recorded_at", flat=True),
        ]
        assert one.last_seen_at == max(told)
