from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from signals_app.catalog import services as catalog_services
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.models import Product
from signals_app.catalog.url_patterns import UrlRule
from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals import services, tasks
from signals_app.shopper_signals.constants import InterestKind, RecomputePhase, RecomputeState
from signals_app.shopper_signals.models import IntentProfile, Interest, RecomputeRun
from signals_app.shopper_signals.services import recomputing, refolding
from tests.shopper_signals.conftest import NOW, make_signal, minutes
from tests.shopper_signals.test_profiles import a_visit, record, standing

Shopper = Callable[..., Identifier]
LATER = NOW + timedelta(minutes=1)


def run_to_the_end(run: RecomputeRun) -> RecomputeRun:
    for _ in range(1_000):
        if not services.continue_recompute(now=LATER, run=run):
            break
    run.refresh_from_db()
    return run


def derived(customer_id: uuid.UUID) -> tuple[Any, ...]:
    names = ("loops_ratio", "dead_clicks_over_usual", "performance_percentile", "stage")
    found = IntentProfile.objects.filter(pk=customer_id).values_list(*names).get()
    return tuple(round(value, 6) if isinstance(value, float) else value for value in found)


@pytest.fixture
def many(project: Project, shopper: Shopper) -> list[Identifier]:
    """Return 45 shoppers with signals: three slices on SQLite."""
    people = [shopper(f"p{n}@example.com") for n in range(45)]
    record(project, *[a_visit(one, count=3, seed=n) for n, one in enumerate(people)])
    return people


class TestARun:
    def test_arrives_at_the_numbers_of_live_folding(self, project: Project, many: list[Identifier]) -> None:
        IntentProfile.objects.update(review_at=NOW)  # so that what is usual in the shop is the same for all of them
        services.refresh_due_profiles(now=LATER)
        before = {one.customer_id: (standing(one.customer_id), derived(one.customer_id)) for one in many}
        IntentProfile.objects.filter(pk=many[3].customer_id).update(cart_log2=7_000_000, signal_count=3)
        Interest.objects.filter(customer=many[4].customer_id).update(evidence_count=99)

        run = run_to_the_end(services.start_recompute(project=project, started_by="Ida", now=NOW)[0])

        assert {one.customer_id: (standing(one.customer_id), derived(one.customer_id)) for one in many} == before
        assert (run.state, run.profiles_done, run.expected) == (RecomputeState.DONE, 45, 45)
        assert run.signals_read == 135

    def test_waits_until_every_process_has_the_patterns_of_now(self, project: Project) -> None:
        run, _ = services.start_recompute(project=project, started_by="Ida", now=NOW)

        assert not services.continue_recompute(now=NOW + timedelta(seconds=5))
        assert run_to_the_end(run).state == RecomputeState.DONE

    def test_goes_on_where_it_was_broken_off(self, project: Project, many: list[Identifier], monkeypatch: Any) -> None:
        monkeypatch.setattr(recomputing, "PROFILES_AT_ONCE", {})
        monkeypatch.setattr(recomputing, "PROFILES_AT_ONCE_ELSEWHERE", 20)
        run, _ = services.start_recompute(project=project, started_by="Ida", now=NOW)
        for _ in range(2):
            services.continue_recompute(now=LATER)
        run.refresh_from_db()
        assert (run.phase, run.profiles_done) == (RecomputePhase.PROFILES, 20)
        RecomputeRun.objects.update(lease_until=LATER, lease_token=uuid.uuid4())  # a worker that is no more

        assert not services.continue_recompute(now=LATER - timedelta(seconds=1))
        finished = run_to_the_end(run)

        assert (finished.state, finished.profiles_done) == (RecomputeState.DONE, 45)

    def test_of_the_same_slice_by_two_counts_once(self, project: Project, many: list[Identifier]) -> None:
        run, _ = services.start_recompute(project=project, started_by="", now=NOW)
        stale = RecomputeRun.objects.select_related("project").get()
        done = recomputing._next_slice(stale, LATER)
        run_to_the_end(run)

        recomputing._note(stale, done, LATER)

        run.refresh_from_db()
        assert (run.state, run.profiles_done) == (RecomputeState.DONE, 45)

    def test_begins_again_when_asked_for_again(self, project: Project, many: list[Identifier]) -> None:
        run, is_new = services.start_recompute(project=project, started_by="Ida", now=NOW)
        services.continue_recompute(now=LATER)

        again, is_other = services.start_recompute(project=project, started_by="Bo", now=LATER)

        assert (is_new, is_other, again.pk) == (True, False, run.pk)
        again.refresh_from_db()
        assert (again.last_id, again.phase, again.profiles_done) == (None, RecomputePhase.PRODUCTS, 0)

    def test_is_what_the_task_carries_on(self, project: Project, many: list[Identifier]) -> None:
        services.start_recompute(project=project, started_by="", now=NOW - timedelta(days=9000))

        tasks.continue_recomputations(unknown="argument")

        run = RecomputeRun.objects.get()
        assert (run.state, run.profiles_done) == (RecomputeState.DONE, 45)


class TestAfterAChangeOfTheHalfLife:
    def test_profiles_are_folded_many_at_a_time_and_long_histories_without_a_lock(
        self, project: Project, many: list[Identifier], django_assert_max_num_queries: Any
    ) -> None:
        project.intent_half_life_hours = 12
        project.save()

        with django_assert_max_num_queries(80):  # one by one they would be hundreds
            counts = [services.refold_outdated(now=LATER) for _ in range(4)]

        assert (sum(counts), counts[-1]) == (45, 0)
        assert set(IntentProfile.objects.values_list("half_life_hours", "signal_count")) == {(12, 3)}


class TestBesideLiveSignals:
    def test_folds_once_more_whom_a_signal_came_for(self, project: Project, shopper: Shopper, monkeypatch: Any) -> None:
        anna, bo = shopper("anna@example.com"), shopper("bo@example.com")
        record(project, a_visit(anna, seed=1), a_visit(bo, seed=2))
        late = make_signal(NOW, anna, num_events=33, drop_proba=0.9, relevant_events=[{"name": "/products/late"}])
        reads, read = [], refolding.fold_stored

        def read_and_be_late(**given: Any) -> Any:
            found = read(**given)
            reads.append(set(given["owner_of"].values()))
            if len(reads) == 1:  # between the reading and the lock
                record(project, [late])
            return found

        monkeypatch.setattr(refolding, "fold_stored", read_and_be_late)

        services.refold_customers(project=project, customer_ids=[anna.customer_id, bo.customer_id], now=NOW)

        assert reads == [{anna.customer_id, bo.customer_id}, {anna.customer_id}]
        after = standing(anna.customer_id)
        assert after["signal_count"] == 13
        assert ("product", "/products/late") in after["interests"]

    def test_folds_under_the_lock_whoever_never_stands_still(
        self, project: Project, shopper: Shopper, monkeypatch: Any
    ) -> None:
        anna = shopper("anna@example.com")
        record(project, a_visit(anna))
        read, count = refolding.fold_stored, []

        def read_and_be_late(**given: Any) -> Any:
            found = read(**given)
            count.append(1)
            if len(count) <= recomputing.ROUNDS:
                record(project, [make_signal(NOW - minutes(len(count)), anna, num_events=3)])
            return found

        monkeypatch.setattr(refolding, "fold_stored", read_and_be_late)

        services.refold_customers(project=project, customer_ids=[anna.customer_id], now=NOW)

        assert len(count) == recomputing.ROUNDS + 1
        assert IntentProfile.objects.get().signal_count == 12 + recomputing.ROUNDS


class TestAfterAChangeOfThePatterns:
    def test_interests_and_products_are_those_of_the_patterns_of_now(self, project: Project, shopper: Shopper) -> None:
        product = Product.objects.create(
            project=project,
            sku="1",
            title="Felt hat",
            url="https://shop.example.com/hats/felt-hat",
            url_key="/hats/felt-hat",
            category="Hats",
            first_seen_at=NOW,
        )
        anna = shopper()
        events = [{"name": "/sale/felt-hat"}, {"name": "/journal/how-to-wear-a-hat"}, {"name": "/collections/x"}]
        record(project, [make_signal(NOW, anna, relevant_events=events)])
        assert product.url_key == "/hats/felt-hat"
        assert {one.kind for one in Interest.objects.all()} == {"category"}

        rules = [
            UrlRule(UrlKind.PRODUCT, "/hats/{slug}"),
            UrlRule(UrlKind.PRODUCT, "/sale/{slug}"),
            UrlRule(UrlKind.CONTENT, "/journal/*"),
            UrlRule(UrlKind.IGNORED, "/collections/**"),
        ]
        catalog_services.save_patterns(project=project, rules=rules, saved_by="Ida")
        run_to_the_end(services.start_recompute(project=project, started_by="Ida", now=NOW)[0])

        found = {(one.kind, one.name) for one in Interest.objects.all()}
        assert found == {
            (InterestKind.PRODUCT, "/sale/felt-hat"),
            (InterestKind.CONTENT, "/journal/how-to-wear-a-hat"),
        }

    def test_products_get_the_keys_of_the_patterns(self, project: Project) -> None:
        for number in range(3):
            Product.objects.create(
                project=project,
                sku=str(number),
                title="Hat",
                url=f"https://shop.example.com/detail?id={number}",
                url_key="/detail",
                first_seen_at=NOW,
            )
        rules = [UrlRule(UrlKind.PRODUCT, "/detail?id={number}")]
        catalog_services.save_patterns(project=project, rules=rules, saved_by="Ida")

        run = run_to_the_end(services.start_recompute(project=project, started_by="Ida", now=NOW)[0])

        assert run.products_changed == 3
        keys = set(Product.objects.values_list("url_key", flat=True))
        assert keys == {f"/detail?id={number}" for number in range(3)}
