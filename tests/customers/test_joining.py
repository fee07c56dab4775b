"""Who is one person, whatever the order in which things were seen."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS
from signals_app.customers.joining import MAX_LINKS_TO_STRONGER, JoinPlan, Key, Seen, Standing, plan_joins


@dataclass
class Book:
    """What a database would hold: applies plan after plan."""

    pointers: dict[Key, uuid.UUID] = field(default_factory=dict)
    edges: set[tuple[Key, Key]] = field(default_factory=set)
    conflicts: set[tuple[Key, Key]] = field(default_factory=set)
    ids: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def add(self, sightings: Sequence[Seen]) -> JoinPlan:
        keys = {key for one in sightings for key in one.keys}
        plan = plan_joins(
            sightings,
            pointers={key: pk for key, pk in self.pointers.items() if key in keys},
            customers={pk: self._standing(pk) for pk in self.pointers.values()},
            links_to_stronger={key: sum(weaker == key for _, weaker in self.edges) for key in keys},
            new_ids={key: uuid.UUID(int=next(self.ids)) for key in sorted(keys - self.pointers.keys())},
        )
        self.pointers = {key: plan.gone.get(pk, pk) for key, pk in self.pointers.items()} | plan.customer_of
        self.edges |= {(link.stronger, link.weaker) for link in plan.links}
        self.conflicts |= {(link.stronger, link.weaker) for link in plan.conflicts}
        return plan

    def _standing(self, pk: uuid.UUID) -> Standing:
        kinds = {key.kind for key, owner in self.pointers.items() if owner == pk}
        return Standing(bool(kinds & KNOWN_KINDS), "external_id" in kinds)

    def people(self) -> set[frozenset[Key]]:
        return {frozenset(key for key, owner in self.pointers.items() if owner == pk) for pk in self.pointers.values()}


def seen(reference: str = "s", **identifiers: str) -> Seen:
    return Seen(reference, tuple(Key(kind, identifiers[kind]) for kind in KINDS_BY_STRENGTH if kind in identifiers))


@st.composite
def sightings_of_honest_people(draw: st.DrawFn) -> list[Seen]:
    """Each person's browsers and visits are their own; who is logged in shows customer ID and address together."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(1, 6))):
            keys = [
                Key(kind, f"{kind}-{number}-{draw(st.integers(0, 2))}")
                for kind in ("anonymous_id", "session_id")
                if draw(st.booleans())
            ]
            if draw(st.booleans()):
                keys = [Key("external_id", f"{number}"), Key("email", f"{number}@example.com"), *keys]
            if keys:
                found.append(Seen(f"{number}-{len(found)}", tuple(keys)))
    return found


@st.composite
def any_sightings(draw: st.DrawFn) -> list[Seen]:
    values = st.sampled_from(["1", "2", "3"])
    one = st.dictionaries(st.sampled_from(KINDS_BY_STRENGTH), values, min_size=1)
    return [seen(str(number), **identifiers) for number, identifiers in enumerate(draw(st.lists(one, max_size=12)))]


class TestSightingsOfHonestPeople:
    @given(sightings_of_honest_people(), st.data())
    def test_give_the_same_people_in_any_order_and_any_batches(
        self, sightings: list[Seen], data: st.DataObject
    ) -> None:
        in_order, shuffled = Book(), Book()
        in_order.add(sightings)
        rest = data.draw(st.permutations(sightings))
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            shuffled.add(rest[:size])
            rest = rest[size:]

        assert shuffled.people() == in_order.people()
        assert not shuffled.conflicts

    @given(sightings_of_honest_people())
    def test_change_nothing_when_seen_again(self, sightings: list[Seen]) -> None:
        book = Book()
        book.add(sightings)
        people, edges = book.people(), set(book.edges)

        plan = book.add(sightings)

        assert (book.people(), book.edges) == (people, edges)
        assert not plan.created
        assert not plan.gone


class TestAnySightings:
    @given(any_sightings(), st.data())
    def test_give_the_same_people_one_by_one_or_in_batches(self, sightings: list[Seen], data: st.DataObject) -> None:
        one_by_one, batched = Book(), Book()
        for one in sightings:
            one_by_one.add([one])
        cut = data.draw(st.integers(0, len(sightings)))
        for batch in (sightings[:cut], sightings[cut:]):
            batched.add(batch)

        assert batched.people() == one_by_one.people()
        assert batched.conflicts == one_by_one.conflicts

    @given(any_sightings())
    def test_never_give_a_customer_two_customer_ids(self, sightings: list[Seen]) -> None:
        book = Book()
        book.add(sightings)

        for person in book.people():
            assert sum(key.kind == "external_id" for key in person) <= 1

    @given(any_sightings())
    def test_join_only_what_is_tied_by_links(self, sightings: list[Seen]) -> None:
        book = Book()
        for one in sightings:
            book.add([one])

        reachable = {key: {key} for key in book.pointers}
        for left, right in book.edges:
            union = reachable[left] | reachable[right]
            for key in union:
                reachable[key] = union

        assert {frozenset(keys) for keys in reachable.values()} == book.people()


class TestTwoKnownShoppers:
    def test_are_not_joined_but_in_conflict(self) -> None:
        book = Book()
        book.add([seen(email="a@example.com"), seen(external_id="1")])

        plan = book.add([seen("both", external_id="1", email="a@example.com")])

        assert plan.conflicted == {"both"}
        assert len(book.people()) == 2

    def test_are_not_joined_by_a_browser_they_share(self) -> None:
        book = Book()

        book.add([seen(external_id="1", anonymous_id="kiosk"), seen("second", external_id="2", anonymous_id="kiosk")])

        assert book.pointers[Key("external_id", "1")] != book.pointers[Key("external_id", "2")]
        assert book.conflicts == {(Key("external_id", "2"), Key("anonymous_id", "kiosk"))}

    def test_are_not_made_of_one_address_with_two_customer_ids(self) -> None:
        book = Book()

        book.add([seen(external_id="1", email="a@example.com"), seen("second", external_id="2", email="a@example.com")])

        assert len(book.people()) == 2
        assert book.conflicts


class TestAKnownShopper:
    def test_takes_over_what_was_anonymous(self) -> None:
        book = Book()
        book.add([seen(anonymous_id="browser", session_id="visit"), seen(external_id="1")])
        known = book.pointers[Key("external_id", "1")]

        plan = book.add([seen(external_id="1", anonymous_id="browser")])

        assert set(book.pointers.values()) == {known}
        assert list(plan.gone.values()) == [known]

    def test_may_have_a_new_address(self) -> None:
        book = Book()

        book.add([seen(external_id="1", email="old@example.com"), seen(external_id="1", email="new@example.com")])

        assert len(book.people()) == 1
        assert not book.conflicts


class TestAVisitIDThatAllShoppersShare:
    def test_stops_joining_browsers_after_a_few(self) -> None:
        book = Book()

        for number in range(20):
            book.add([seen(anonymous_id=f"browser-{number}", session_id="constant")])

        assert max(len(person) for person in book.people()) == MAX_LINKS_TO_STRONGER + 1
