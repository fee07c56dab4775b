"""Who remains one person when links are taken away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers.constants import Evidence
from signals_app.customers.joining import Key, Link, Seen
from signals_app.customers.parting import Tie, find_parts
from tests.customers.test_joining import Book, any_sightings


class Ledger:
    """What a database would hold of links, in their order."""

    def __init__(self, sightings: list[Seen]) -> None:
        self.book = Book()
        self.links: dict[tuple[Key, Key], Link] = {}
        for one in sightings:
            for link in self.book.add([one]).links:
                self.links.setdefault((link.stronger, link.weaker), link)
        self.numbers = {key: number for number, key in enumerate(self.book.pointers)}

    def parts(self, without: tuple[Key, Key] | None = None) -> set[frozenset[Key]]:
        key_of = {number: key for key, number in self.numbers.items()}
        ties = [
            Tie(number, self.numbers[left], self.numbers[right], link.evidence == Evidence.PERSON, link.is_news)
            for number, ((left, right), link) in enumerate(self.links.items())
            if (left, right) != without
        ]
        found = find_parts({number: key.kind for number, key in key_of.items()}, ties)
        return {frozenset(key_of[number] for number in part) for part in found.parts}


@given(any_sightings())
def test_the_links_that_joining_made_hold_the_same_people(sightings: list[Seen]) -> None:
    ledger = Ledger(sightings)

    assert ledger.parts() == ledger.book.people()


@given(any_sightings(), st.data())
def test_links_of_one_batch_may_stand_in_any_order(sightings: list[Seen], data: st.DataObject) -> None:
    ledger = Ledger(sightings)
    ledger.links = dict(data.draw(st.permutations(list(ledger.links.items()))))

    assert ledger.parts() == ledger.book.people()


@given(any_sightings(), st.data())
def test_without_a_link_nobody_is_joined_who_was_not(sightings: list[Seen], data: st.DataObject) -> None:
    ledger = Ledger(sightings)
    without = data.draw(st.sampled_from(sorted(ledger.links))) if ledger.links else None

    parts = ledger.parts(without)

    assert all(any(part <= person for person in ledger.book.people()) for part in parts)
    for part in parts:
        assert sum(key.kind == "external_id" for key in part) <= 1


def test_a_persons_word_joins_two_customers_and_a_machines_does_not() -> None:
    kinds = {1: "external_id", 2: "external_id"}

    assert find_parts(kinds, [Tie(1, 1, 2, is_of_person=True, is_news=False)]).parts == [[1, 2]]
    refused = find_parts(kinds, [Tie(1, 1, 2, is_of_person=False, is_news=True)])
    assert refused.parts == [[1], [2]]
    assert [tie.pk for tie in refused.refused] == [1]
