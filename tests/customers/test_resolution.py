import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.customers import facets, services
from signals_app.customers.exceptions import InvalidInput
from signals_app.customers.models import Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.customers.services import Sighting
from signals_app.customers.services.links import MAX_CONFLICTS_PER_IDENTIFIER
from signals_app.projects import services as project_services
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
numbers = count()


def resolve(shop: Project, *sightings: dict[str, str], now: datetime = NOW) -> list[Identifier]:
    named = [Sighting(str(number), identifiers) for number, identifiers in enumerate(sightings)]
    found = services.resolve(project=shop, sightings=named, now=now)
    return [found[one.reference] for one in named if one.reference in found]


class TestASighting:
    def test_points_at_its_strongest_identifier(self, shop: Project) -> None:
        (found,) = resolve(shop, {"session_id": "v", "anonymous_id": "b", "email": "Ada@Example.com"})

        assert (found.kind, found.value) == ("email", "ada@example.com")
        assert found.customer.email == "ada@example.com"
        assert found.customer.identifiers.count() == 3
        assert IdentityEdge.objects.count() == 2

    def test_without_a_usable_identifier_is_not_in_the_answer(self, shop: Project) -> None:
        assert resolve(shop, {}, {"email": "nonsense"}, {"anonymous_id": "undefined"}) == []
        assert not Customer.objects.exists()

    def test_uses_what_is_good_of_it(self, shop: Project) -> None:
        (found,) = resolve(shop, {"email": "nonsense", "anonymous_id": "b"})

        assert found.kind == "anonymous_id"

    def test_seen_again_changes_nothing_but_when(self, shop: Project) -> None:
        (first,) = resolve(shop, {"external_id": "1", "anonymous_id": "b"})

        (again,) = resolve(shop, {"external_id": "1", "anonymous_id": "b"}, now=NOW + timedelta(hours=1))

        assert again == first
        assert Customer.objects.get().last_seen_at == NOW + timedelta(hours=1)

    def test_of_an_older_time_does_not_set_the_clock_back(self, shop: Project) -> None:
        resolve(shop, {"external_id": "1"})

        resolve(shop, {"external_id": "1"}, now=NOW - timedelta(hours=1))

        assert Customer.objects.get().last_seen_at == NOW

    def test_in_another_store_is_another_customer(self, shop: Project) -> None:
        other = project_services.create_project(slug="other", name="Other", shop_url="https://other.example/")

        (here,), (there,) = resolve(shop, {"external_id": "1"}), resolve(other, {"external_id": "1"})

        assert here.customer_id != there.customer_id


class TestAnAnonymousHistory:
    def test_follows_when_the_shopper_becomes_known(self, shop: Project) -> None:
        (browser,) = resolve(shop, {"anonymous_id": "b"})

        (known,) = resolve(shop, {"external_id": "1", "anonymous_id": "b"})

        browser.refresh_from_db()
        assert browser.customer_id == known.customer_id
        assert known.customer.external_id == "1"
        assert Customer.objects.get() == known.customer

    def test_moves_to_the_known_customer_and_tells_the_rooms(
        self, shop: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (browser,) = resolve(shop, {"anonymous_id": "b"})
        (known,) = resolve(shop, {"external_id": "1"})
        merged: list[tuple[Customer, list[Customer]]] = []
        facet = facets.Facet("spy", "Spy", (), merge=lambda keep, gone, _: merged.append((keep, gone)))
        monkeypatch.setitem(facets._facets, "spy", facet)

        resolve(shop, {"external_id": "1", "anonymous_id": "b"})

        assert [(keep.pk, [one.pk for one in gone]) for keep, gone in merged] == [
            (known.customer_id, [browser.customer_id])
        ]
        assert Customer.objects.get().pk == known.customer_id


class TestABrowserSharedByShoppers:
    def test_stays_with_the_first_and_is_a_conflict(self, shop: Project) -> None:
        (ada,) = resolve(shop, {"external_id": "ada", "anonymous_id": "kiosk"})

        (bob,) = resolve(shop, {"external_id": "bob", "anonymous_id": "kiosk"})

        assert bob.customer_id != ada.customer_id
        assert Identifier.objects.get(value="kiosk").customer_id == ada.customer_id
        conflict = IdentityConflict.objects.get()
        assert {conflict.left.value, conflict.right.value} == {"bob", "kiosk"}

    def test_is_a_conflict_only_a_limited_number_of_times(self, shop: Project) -> None:
        resolve(shop, *({"external_id": f"shopper-{number}", "anonymous_id": "kiosk"} for number in range(30)))

        assert Customer.objects.count() == 30
        assert IdentityConflict.objects.count() == MAX_CONFLICTS_PER_IDENTIFIER


class TestABatch:
    def test_takes_the_same_number_of_queries_whatever_its_size(self, shop: Project) -> None:
        def queries(size: int) -> int:
            start = next(numbers) * 1_000
            batch = [
                {"external_id": f"{start + n}", "email": f"{start + n}@example.com", "session_id": f"{start + n}"}
                for n in range(size)
            ]
            with CaptureQueriesContext(
                connection,
            ) as captured:
                resolve(shop, *batch)
            return len(captured)

        assert queries(50) == queries(2) <= 20

    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.lists(
            st.dictionaries(st.sampled_from(["anonymous_id", "session_id"]), st.sampled_from("abc"), min_size=1),
            min_size=1,
            max_size=6,
        ),
        st.data(),
    )
    def test_gives_the_same_people_in_any_order(
        self, shop: Project, sightings: list[dict[str, str]], data: st.DataObject
    ) -> None:
        def people(ordered: list[dict[str, str]], *, together: bool) -> set[frozenset[str]]:
            prefix = f"{next(numbers)}-"
            named = [{kind: prefix + value for kind, value in one.items()} for one in ordered]
            for batch in [named] if together else [[one] for one in named]:
                resolve(shop, *batch)
            rows = Identifier.objects.filter(value__startswith=prefix)
            return {
                frozenset(f"{row.kind}:{row.value.removeprefix(prefix)}" for row in rows if row.customer_id == pk)
                for pk in {row.customer_id for row in rows}
            }

        assert people(data.draw(st.permutations(sightings)), together=False) == people(sightings, together=True)


class TestIdentify:
    def test_creates_then_links_then_sees_a_conflict(self, shop: Project) -> None:
        def status(**identifiers: str) -> str:
            return services.identify(project=shop, identifiers=identifiers, now=NOW).status

        assert status(external_id="1", anonymous_id="b") == "created"
        assert status(external_id="1", email="a@example.com") == "linked"
        assert status(external_id="2", email="b@example.com") == "created"
        assert status(external_id="1", email="b@example.com") == "conflict"
        assert status(external_id="1", email="b@example.com") == "conflict"
        assert Customer.objects.count() == 2

    def test_keeps_what_was_said_and_forgets_what_was_taken_back(self, shop: Project) -> None:
        said = {"first_name": "Ada", "last_name": "Lovelace", "plan": "gold"}
        services.identify(
            project=shop, identifiers={"external_id": 1}, attributes=said, time_zone="Europe/Berlin", now=NOW
        )

        services.identify(project=shop, identifiers={"external_id": 1}, attributes={"plan": None}, now=NOW)

        customer = Customer.objects.get()
        assert customer.name == "Ada Lovelace"
        assert customer.time_zone == "Europe/Berlin"
        assert customer.attributes == {"first_name": "Ada", "last_name": "Lovelace"}

    @pytest.mark.parametrize(
        ("identifiers", "time_zone", "field"),
        [
            ({}, None, "identifiers"),
            ({"email": "nonsense"}, None, "email"),
            ({"phone": "1"}, None, "phone"),
            ({"external_id": "1"}, "Mars/Olympus", "timezone"),
        ],
    )
    def test_names_what_it_cannot_use(
        self, shop: Project, identifiers: dict[str, str], time_zone: str | None, field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            services.identify(project=shop, identifiers=identifiers, time_zone=time_zone, now=NOW)

        assert refused.value.field == field
        assert not Customer.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTransactionsAtOnce:
    def test_end_with_one_customer_per_shopper(self, transactional_db: None) -> None:
        shop = project_services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")
        failures = run_at_once(
            *(
                lambda offset=offset: [
                    resolve(shop, *({"external_id": str(n), "session_id": f"{n}"} for n in order), now=NOW)
                    for order in (range(offset, 11), range(1, offset))
                ]
                for offset in range(1, 5)
            )
        )

        assert failures == []
        assert Customer.objects.count() == 10
        assert Identifier.objects.count() == 20
        for customer in Customer.objects.all():
            assert customer.identifiers.filter(value=customer.external_id).count() == 2

    def test_lose_nobody_while_customers_are_joined(self, transactional_db: None) -> None:
        shop = project_services.create_project(slug="shop", name="Shop", shop_url="https://shop.example/")
        resolve(shop, *({"anonymous_id": f"b{n}"} for n in range(6)))

        failures = run_at_once(
            lambda: [resolve(shop, {"external_id": "1", "anonymous_id": f"b{n}"}) for n in range(6)],
            lambda: [resolve(shop, {"external_id": "1", "anonymous_id": f"b{n}"}) for n in reversed(range(6))],
            lambda: [resolve(shop, {"anonymous_id": f"b{n}", "session_id": f"v{n}"}) for n in range(6)],
            lambda: [resolve(shop, {"anonymous_id": f"b{n}", "session_id": "shared"}) for n in range(3)],
        )

        assert failures == []
        customer = Customer.objects.get()
        assert customer.external_id == "1"
        assert customer.identifiers.count() == 1 + 6 + 6 + 1


def run_at_once(*jobs) -> list[Exception]:  # type: ignore[no-untyped-def]
    """Run the jobs in threads that begin together, each with its own connection; return what they raised."""
    failures: list[Exception] = []
    barrier = threading.Barrier(len(jobs))

    def run(job) -> None:  # type: ignore[no-untyped-def]
        try:
            barrier.wait(10)
            job()
        except Exception as error:  # noqa: BLE001 - the test asserts on it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures
