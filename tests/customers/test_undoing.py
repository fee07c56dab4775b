"""Joining two profiles on a person's word, taking links back, and what of it must stick."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from signals_app.customers import services
from signals_app.customers.constants import Evidence
from signals_app.customers.exceptions import ErasedIdentifier, LinkIsGone, ProfileIsGone, SameProfile
from signals_app.customers.models import (
    ConsentChange,
    Customer,
    Identifier,
    IdentityConflict,
    IdentityEdge,
    LinkRemoval,
    MergedCustomer,
)
from signals_app.customers.services import Sighting
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.models import IntentProfile
from signals_app.shopper_signals.services import merging
from tests.customers.worlds import World, person

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADA, BOB = ("external_id", "1"), ("external_id", "2")
BROWSER = ("anonymous_id", "b")


@pytest.fixture
def world(db: None) -> World:
    return World(START)


@pytest.fixture
def two(world: World) -> World:
    """Two known shoppers, each with a browser and signals of their own."""
    world.signal(person(1) | {"anonymous_id": "b1"}, number=1, page="tent")
    world.signal(person(2) | {"anonymous_id": "b2"}, number=2, page="lamp")
    return world


def customer(world: World, name: tuple[str, str]) -> Customer:
    found: Customer = world.identifier(name).customer
    return found


def merged(world: World) -> Customer:
    kept = services.merge(customer=customer(world, ADA), other=customer(world, BOB), by="Eve", now=world.tick())
    world._set_clock(world.now)
    return kept


def undo(world: World, one: tuple[str, str], other: tuple[str, str]) -> services.Parting:
    edge = world.edge(one, other)
    assert edge is not None
    return services.undo_link(edge=edge, by="Eve", now=world.tick())


class TestAMergeByAPerson:
    def test_joins_two_known_shoppers_and_remembers_who_said_so(self, two: World) -> None:
        older, newer = customer(two, ADA).pk, customer(two, BOB).pk

        kept = merged(two)

        assert kept.pk == older
        assert {one.customer_id for one in Identifier.objects.filter(project=two.project)} == {older}
        edge = two.edge(ADA, BOB)
        assert edge is not None
        assert (edge.evidence, edge.reference) == ("PERSON", "Eve")
        assert services.current_customer_id(project=two.project, former_id=newer) == older
        assert IntentProfile.objects.get(customer=kept).signal_count == 2

    def test_settles_what_was_open_between_them(self, two: World) -> None:
        services.identify(
            project=two.project, identifiers={"external_id": "1", "email": "2@example.com"}, now=two.tick()
        )

        merged(two)

        conflict = IdentityConflict.objects.get()
        assert (conflict.state, conflict.decided_by) == ("MERGED", "Eve")

    def test_counts_the_no_where_consents_disagree(self, two: World) -> None:
        two.consent(ADA, granted=True)
        two.consent(BOB, granted=False)

        kept = merged(two)

        assert services.has_consent(customer=kept).granted is False

    def test_of_who_is_gone_or_the_same_says_so(self, two: World) -> None:
        ada, bob = customer(two, ADA), customer(two, BOB)
        with pytest.raises(SameProfile):
            services.merge(customer=ada, other=ada, by="Eve", now=two.now)
        services.erase_customer(customer=bob, now=two.now)
        with pytest.raises(ProfileIsGone):
            services.merge(customer=ada, other=bob, by="Eve", now=two.now)

    def test_of_two_stores_is_refused(self, two: World) -> None:
        other = World(START)
        other.signal(person(1), number=1, page="tent")
        with pytest.raises(ProfileIsGone):
            services.merge(customer=customer(two, ADA), other=customer(other, ADA), by="Eve", now=two.now)


class TestUndoing:
    def test_gives_each_side_the_id_back_that_it_had(self, two: World) -> None:
        ids = {name: customer(two, name).pk for name in (ADA, BOB, ("anonymous_id", "b2"))}
        merged(two)

        undo(two, ADA, BOB)

        assert {name: customer(two, name).pk for name in ids} == ids
        assert not MergedCustomer.objects.filter(pk__in=ids.values()).exists()

    def test_gives_a_browser_back_the_id_that_it_had_before_its_shopper_was_known(self, world: World) -> None:
        world.signal({"anonymous_id": "b"}, number=1, page="tent")
        world.signal(person(1), number=2, page="lamp")
        before = customer(world, BROWSER).pk
        known = customer(world, ADA).pk
        world.signal(person(1) | {"anonymous_id": "b"}, number=3, page="boots")

        undo(world, ADA, BROWSER)

        assert (customer(world, BROWSER).pk, customer(world, ADA).pk) == (before, known)

    def test_leaves_what_each_has_said_since(self, two: World) -> None:
        two.consent(BOB, granted=False)
        merged(two)
        two.consent(ADA, granted=True)
        two.consent(BOB, granted=True)
        said_for_bob = services.has_consent(customer=customer(two, BOB))

        undo(two, ADA, BOB)

        assert said_for_bob.granted is True
        assert services.has_consent(customer=customer(two, ADA)).granted is True
        assert services.has_consent(customer=customer(two, BOB)).granted is True  # he said so himself, later

    def test_does_not_leave_a_yes_with_who_never_said_it(self, two: World) -> None:
        two.consent(BOB, granted=False)
        merged(two)
        two.consent(ADA, granted=True)
        as_one = services.has_consent(customer=customer(two, BOB)).granted

        undo(two, ADA, BOB)

        assert as_one is True
        assert services.has_consent(customer=customer(two, ADA)).granted is True
        assert services.has_consent(customer=customer(two, BOB)).granted is False

    def test_parts_nobody_whom_other_links_tie(self, world: World) -> None:
        world.signal(person(1) | {"anonymous_id": "b", "session_id": "v"}, number=1, page="tent")
        world.signal({"anonymous_id": "b", "session_id": "v"}, number=2, page="tent")

        parting = undo(world, ADA, BROWSER)
        world.signal(person(1) | {"anonymous_id": "b", "session_id": "v"}, number=3, page="tent")

        assert not parting.split
        assert customer(world, BROWSER) == customer(world, ADA)
        assert world.edge(ADA, BROWSER) is None  # nor is it stored again

    def test_twice_says_that_it_is_gone(self, two: World) -> None:
        merged(two)
        edge = two.edge(ADA, BOB)
        assert edge is not None
        services.undo_link(edge=edge, by="Eve", now=two.now)

        with pytest.raises(LinkIsGone):
            services.undo_link(edge=edge, by="Eve", now=two.now)

    def test_of_who_is_being_erased_says_that_it_is_gone(self, two: World) -> None:
        merged(two)
        edge = two.edge(ADA, BOB)
        assert edge is not None
        services.begin_erasure(customer=customer(two, ADA), by="Eve", now=two.now)

        with pytest.raises(LinkIsGone):
            services.preview_undo(edge=edge, now=two.now)
        with pytest.raises(LinkIsGone):
            services.undo_link(edge=edge, by="Eve", now=two.now)

    def test_takes_apart_what_a_machine_would_not_have_joined(self, two: World) -> None:
        merged(two)
        two.signal({"external_id": "1", "anonymous_id": "b2"}, number=5, page="tent")
        assert two.edge(ADA, ("anonymous_id", "b2")) is not None

        undo(two, ADA, BOB)

        assert customer(two, ("anonymous_id", "b2")) == customer(two, BOB) != customer(two, ADA)
        assert set(IdentityConflict.objects.values_list("state", flat=True)) == {"KEPT_APART"}


class TestADecision:
    def test_outlives_the_next_signal_with_both(self, world: World) -> None:
        world.signal(person(1) | {"anonymous_id": "b"}, number=1, page="tent")
        undo(world, ADA, BROWSER)

        world.signal(person(1) | {"anonymous_id": "b"}, number=2, page="tent")
        status = services.identify(
            project=world.project, identifiers={"external_id": "1", "anonymous_id": "b"}, now=world.tick()
        ).status

        assert status == "conflict"
        assert customer(world, BROWSER) != customer(world, ADA)
        assert IdentityConflict.objects.get().state == "KEPT_APART"

    def test_holds_by_way_of_a_third_id_too(self, world: World) -> None:
        world.signal(person(1) | {"anonymous_id": "b"}, number=1, page="tent")
        undo(world, ADA, BROWSER)

        world.signal({"external_id": "1", "session_id": "v"}, number=2, page="tent")
        world.signal({"anonymous_id": "b", "session_id": "v"}, number=3, page="tent")
        services.resolve(  # and within one batch
            project=world.project,
            sightings=[
                Sighting("a", {"anonymous_id": "new", "session_id": "new"}),
                Sighting("b", {"external_id": "1", "session_id": "new"}),
                Sighting("c", {"anonymous_id": "b", "session_id": "new"}),
            ],
            now=world.tick(),
        )

        assert customer(world, BROWSER) != customer(world, ADA)
        assert customer(world, ("session_id", "new")) == customer(world, ADA)

    def test_does_not_keep_the_browser_from_somebody_else(self, world: World) -> None:
        world.signal(person(1) | {"anonymous_id": "b"}, number=1, page="tent")
        undo(world, ADA, BROWSER)

        world.signal(person(2) | {"anonymous_id": "b"}, number=2, page="lamp")

        assert customer(world, BROWSER) == customer(world, BOB)

    def test_is_changed_by_a_person(self, world: World) -> None:
        world.signal(person(1) | {"anonymous_id": "b"}, number=1, page="tent")
        undo(world, ADA, BROWSER)

        services.merge(customer=customer(world, BROWSER), other=customer(world, ADA), by="Eve", now=world.tick())
        world.signal(person(1) | {"anonymous_id": "b"}, number=2, page="tent")

        assert customer(world, BROWSER) == customer(world, ADA)
        assert IdentityConflict.objects.get().state == "MERGED"

    def test_to_keep_two_apart_holds(self, two: World) -> None:
        services.identify(
            project=two.project, identifiers={"external_id": "1", "email": "2@example.com"}, now=two.tick()
        )
        conflict = IdentityConflict.objects.get()

        assert services.keep_apart(conflict=conflict, by="Eve", now=two.now) is True
        assert services.keep_apart(conflict=conflict, by="Bob", now=two.now) is False
        conflict.refresh_from_db()
        assert (conflict.state, conflict.decided_by) == ("KEPT_APART", "Eve")

    def test_costs_a_store_without_one_no_query(self, world: World) -> None:
        batch = [Sighting(str(n), person(n) | {"anonymous_id": f"b{n}"}) for n in range(20)]
        services.resolve(project=world.project, sightings=batch, now=world.tick())

        with CaptureQueriesContext(connection) as captured:
            services.resolve(project=world.project, sightings=batch, now=world.tick())

        assert not [query for query in captured if "identityconflict" in query["sql"]]


class TestAPreview:
    def test_tells_what_would_be_and_leaves_no_trace(self, two: World) -> None:
        two.consent(BOB, granted=False)
        ada, bob = customer(two, ADA), customer(two, BOB)
        before = two.look()

        preview = services.preview_merge(customer=bob, other=ada, now=two.now)

        traits = {trait.label: trait for trait in preview.traits}
        assert preview.keep == ada
        assert traits["Signals"].together.value == "2"
        assert traits["Marketing"].together.value.startswith("Denied")
        assert {item.lower() for item in traits["Interests"].together.items} == {"tent", "lamp"}
        assert two.look() == before
        assert not IdentityEdge.objects.filter(evidence="PERSON").exists()
        assert not MergedCustomer.objects.exists()

    def test_of_undoing_tells_whom_it_would_part(self, two: World) -> None:
        merged(two)
        before = two.look()
        edge = two.edge(ADA, BOB)
        assert edge is not None

        preview = services.preview_undo(edge=edge, now=two.now)

        assert sorted(sorted(one.value for one in part.identifiers) for part in preview.parts) == [
            ["1", "1@example.com", "b1"],
            ["2", "2@example.com", "b2"],
        ]
        assert [part.keeps_id for part in preview.parts] == [True, False]
        assert two.look() == before


class TestABrowserOfFiftyPeople:
    def test_joins_nobody_and_is_called_shared(self, world: World) -> None:
        for number in range(1, 51):
            world.signal(person(number) | {"anonymous_id": "b"}, number=number, page="tent")

        assert Customer.objects.filter(project=world.project).count() == 50
        browser = world.identifier(BROWSER)
        assert browser.customer == customer(world, ADA)
        assert services.shared_among([browser.pk, world.identifier(ADA).pk]) == {browser.pk}

    def test_of_visitors_nobody_knows_joins_no_more_than_a_few(self, world: World) -> None:
        for number in range(1, 51):
            world.signal({"anonymous_id": f"b{number}", "session_id": "v"}, number=number, page="tent")

        visit = world.identifier(("session_id", "v"))
        assert visit.customer.identifiers.count() <= 7
        assert services.shared_among([visit.pk]) == {visit.pk}

    def test_is_not_what_a_shopper_with_two_browsers_has(self, world: World) -> None:
        for number in range(3):
            world.signal(
                person(1) | {"anonymous_id": f"b{number}", "session_id": f"v{number}"}, number=number, page="x"
            )

        pks = list(Identifier.objects.filter(project=world.project).values_list("pk", flat=True))
        assert services.shared_among(pks) == set()


class TestALongHistory:
    @pytest.fixture(autouse=True)
    def _short_slices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(merging, "FOLDED_AT_ONCE", {"sqlite": 4})
        monkeypatch.setattr(merging, "FOLDED_AT_ONCE_ELSEWHERE", 4)

    def _finish(self, world: World) -> int:
        rounds = 0
        while signal_services.continue_folding(now=world.now):
            rounds += 1
        return rounds

    def test_is_folded_little_by_little_while_signals_come(self, two: World) -> None:
        never = World(START)
        never.signal(person(1) | {"anonymous_id": "b1"}, number=1, page="tent")
        never.signal(person(2) | {"anonymous_id": "b2"}, number=2, page="lamp")
        for world in (two, never):
            for number in range(10, 30):
                world.signal(person(number % 2 + 1), number=number, page=f"p{number % 3}")
        never.number += 2
        merged(two)
        undo(two, ADA, BOB)

        two.signal(person(1), number=40, page="boots")
        signal_services.continue_folding(now=two.now)
        two.signal(person(1), number=41, page="boots")
        rounds = self._finish(two)
        never.signal(person(1), number=40, page="boots")
        never.signal(person(1), number=41, page="boots")

        assert rounds >= 2
        assert two.look().keys() == never.look().keys()
        for who, found in never.look().items():
            mine = two.look()[who]
            assert mine["levels"] == pytest.approx(found["levels"], abs=1e-6)
            assert mine["state"] == found["state"]
            assert mine["interests"] == found["interests"]

    def test_begins_again_when_the_customer_is_joined_meanwhile(self, two: World) -> None:
        for number in range(10, 30):
            two.signal(person(number % 2 + 1), number=number, page="tent")
        merged(two)
        undo(two, ADA, BOB)
        signal_services.continue_folding(now=two.now)

        kept = merged(two)
        self._finish(two)

        assert IntentProfile.objects.get(customer=kept).signal_count == 22


class TestALinkOfAWholeKind:
    def test_goes_in_slices_and_is_not_remembered(self, world: World) -> None:
        for number in range(1, 31):
            world.signal(person(number), number=number, page="tent")
            world.seen(("session_id", f"v{number}"))
            services.resolve(
                project=world.project,
                sightings=[Sighting("c", {"external_id": str(number), "session_id": f"v{number}"}, "CLICK")],
                now=world.tick(),
            )
        assert Customer.objects.filter(project=world.project).count() == 30

        removal = services.undo_links_of_kind(project=world.project, evidence="CLICK", by="Eve", now=world.now)
        again = services.undo_links_of_kind(project=world.project, evidence="CLICK", by="Eve", now=world.now)
        first = services.continue_removals(now=world.now)
        while services.continue_removals(now=world.now):
            pass

        removal.refresh_from_db()
        assert again.pk == removal.pk
        assert 0 < first < 30
        assert (removal.removed, removal.finished_at) == (30, world.now)
        assert Customer.objects.filter(project=world.project).count() == 60
        assert not IdentityConflict.objects.exists()
        world.signal({"external_id": "7", "session_id": "v7"}, number=99, page="tent")
        assert customer(world, ("session_id", "v7")) == customer(world, ("external_id", "7"))
        assert LinkRemoval.objects.filter(finished_at=None).count() == 0


class TestAnErasedPerson:
    def test_is_not_brought_back_by_a_merge_or_an_undo(self, two: World) -> None:
        kept = merged(two)
        former = MergedCustomer.objects.get(kept_id=kept.pk, merged_at=two.now).pk
        undo(two, ADA, BOB)
        services.erase_customer(customer=customer(two, BOB), now=two.now)

        assert services.current_customer_id(project=two.project, former_id=former) is None
        with pytest.raises(ErasedIdentifier):
            services.identify(project=two.project, identifiers=dict([BOB]), now=two.now)
        two.signal(person(1) | {"anonymous_id": "b2"}, number=9, page="tent")
        assert customer(two, ADA).identifiers.filter(value__in=["2", "2@example.com", "b2"]).count() == 0

    def test_who_was_merged_takes_all_ids_along(self, two: World) -> None:
        services.erase_customer(customer=merged(two), now=two.now)

        assert not Customer.objects.filter(project=two.project).exists()
        assert not MergedCustomer.objects.exists()


def test_a_profile_that_was_merged_answers_at_the_api(
    project: Any, api: Callable[..., Any], sign_in: Callable[..., Any]
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    ids = [
        str(services.identify(project=project, identifiers=person(number), now=now).customer.pk) for number in (1, 2)
    ]
    one, other = (Customer.objects.get(pk=pk) for pk in ids)
    services.merge(customer=one, other=other, by="Eve", now=now)

    answer = api("get", f"customers/{ids[1]}/")

    assert answer.status_code == 200
    assert answer.json()["id"] == ids[0]
    assert api("get", f"customers/{ids[1]}/intent/").json()["customer"] == ids[0]
    assert api("get", f"customers/{ids[1]}/timeline/").status_code == 200
    assert api("get", "customers/019a0000-0000-7000-8000-000000000000/").status_code == 404
    page = sign_in().get(f"/admin/customers/customer/{ids[1]}/change/")
    assert (page.status_code, page["Location"]) == (302, f"/admin/customers/customer/{ids[0]}/change/")


def test_who_was_imported_and_merged_by_mistake_is_never_seen_again(world: World) -> None:
    world.signal(person(1), number=1, page="tent")
    services.resolve(project=world.project, sightings=[Sighting("1", dict([BOB]), Evidence.IMPORT)], now=world.now)
    ConsentChange.objects.create(
        identifier=world.identifier(BOB), is_granted=True, source="list", evidence="import 1", occurred_at=START
    )
    world._set_clock(world.now)
    merged(world)
    world.signal(person(1), number=2, page="lamp")

    parting = undo(world, ADA, BOB)

    assert {one.external_id: one.last_seen_at for one in parting.customers} == {
        "1": START + timedelta(minutes=3),
        "2": None,
    }
    assert customer(world, BOB).last_seen_at is None
