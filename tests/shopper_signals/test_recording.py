from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext

from signals_app.customers import services as customer_services
from signals_app.customers.models import Identifier
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.shopper_signals import services
from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopBaseline, ShopperSignal
from tests.shopper_signals.conftest import EXAMPLE, NOW, make_signal, minutes

Shopper = Callable[..., Identifier]


class TestRecordingASignal:
    def test_of_somebody_who_is_being_erased_keeps_it_as_nobodys(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()
        customer_services.begin_erasure(customer=anna.customer, now=NOW)

        (recorded,) = services.record_signals(project=project, signals=[make_signal(NOW, anna, **EXAMPLE)], now=NOW)

        assert recorded.customer_id is None
        assert ShopperSignal.objects.get().identifier is None
        assert not IntentProfile.objects.exists()

    def test_makes_the_example_of_the_contract_leave_with_intent(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()

        for number in range(3):
            at = NOW + minutes(number)
            signal = make_signal(at, anna, **EXAMPLE, num_events=25 + number)
            (recorded,) = services.record_signals(project=project, signals=[signal], now=at)

        assert recorded.customer_id == anna.customer_id
        assert recorded.values["intent_score"] >= 60
        assert recorded.values["stage"] == "leaving_with_intent"
        profile = IntentProfile.objects.get(customer_id=anna.customer_id)
        assert profile.stage == Stage.LEAVING_WITH_INTENT
        assert profile.signal_count == 3
        assert sum(part.points for part in services.contributions_of(profile)) == pytest.approx(profile.intent_score)

    def test_leaves_ordinary_browsing_far_below_that(self, project: Project, shopper: Shopper) -> None:
        signal = make_signal(
            NOW, shopper(), drop_proba=0.3, num_events=3, relevant_events=[{"name": "/products/wool-scarf"}]
        )

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["intent_score"] < 25
        assert recorded.values["stage"] == "browsing"

    def test_again_with_the_same_id_changes_nothing(self, project: Project, shopper: Shopper) -> None:
        signal = make_signal(NOW, shopper(), **EXAMPLE, num_events=25)
        services.record_signals(project=project, signals=[signal, signal], now=NOW)
        before = IntentProfile.objects.values().get()

        again = services.record_signals(project=project, signals=[signal], now=NOW)

        assert again == []
        assert IntentProfile.objects.values().get() == before
        assert before["signal_count"] == 1
        assert sum(ShopBaseline.objects.values_list("signal_count", flat=True)) == 1

    def test_without_an_identity_keeps_it_and_says_nothing_of_intent(self, project: Project) -> None:
        signal = make_signal(NOW, None, **EXAMPLE, num_events=25)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.customer_id is None
        assert recorded.values["intent_score"] is None
        assert recorded.values["products_viewed"] == 2
        assert not IntentProfile.objects.exists()
        assert ShopperSignal.objects.get().identifier is None

    def test_never_lets_a_number_that_is_none_reach_a_column(self, project: Project, shopper: Shopper) -> None:
        bad = make_signal(
            NOW,
            shopper(),
            drop_proba=math.nan,
            performance=math.inf,
            num_events=2**63,
            num_loops=-1,
            avg_loops=-math.inf,
            avg_broken_buttons=math.nan,
        )

        services.record_signals(project=project, signals=[bad], now=NOW)

        stored = ShopperSignal.objects.values().get()
        numbers = [stored[name] for name in ("drop_proba", "performance", "num_events", "num_loops", "avg_loops")]
        assert numbers == [None] * 5
        profile = IntentProfile.objects.values().get()
        assert all(math.isfinite(value) for value in profile.values() if isinstance(value, float))

    def test_bears_the_largest_numbers_there_are(self, project: Project, shopper: Shopper) -> None:
        huge = {"performance": 1e308, "num_events": 2**63 - 2, "num_loops": 2**63 - 2, "num_broken_buttons": 2**63 - 2}
        signals = [make_signal(NOW + minutes(n), shopper(), **huge, avg_loops=1e-308) for n in range(30)]

        recorded = services.record_signals(project=project, signals=signals, now=NOW)

        assert all(0 <= one.values["intent_score"] <= 100 for one in recorded)
        assert all(math.isfinite(one.values["loops_ratio"]) for one in recorded)

    def test_needs_the_same_number_of_statements_for_many_as_for_few(
        self, project: Project, shopper: Shopper, django_assert_max_num_queries: Callable[..., CaptureQueriesContext]
    ) -> None:
        few = [make_signal(NOW, shopper(f"a{n}@example.com"), **EXAMPLE, num_events=n) for n in range(2)]
        many = [make_signal(NOW, shopper(f"b{n}@example.com"), **EXAMPLE, num_events=n) for n in range(15)]

        with django_assert_max_num_queries(26):
            services.record_signals(project=project, signals=few, now=NOW)
        with django_assert_max_num_queries(26):
            services.record_signals(project=project, signals=many, now=NOW)

    def test_tells_who_changed(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()

        services.record_signals(project=project, signals=[make_signal(NOW, anna, **EXAMPLE, num_events=25)], now=NOW)

        fact = Fact.objects.get(kind=FactKind.PROFILE_CHANGED)
        assert fact.subject_ids == [str(anna.customer_id)]


class TestTheValuesForTriggers:
    def test_compare_with_the_averages_of_the_signal(self, project: Project, shopper: Shopper) -> None:
        signal = make_signal(NOW, shopper(), num_loops=3, avg_loops=1.5, num_broken_buttons=1, avg_broken_buttons=0.25)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["loops_ratio"] == 2
        assert recorded.values["dead_clicks_over_usual"] == 0.75

    def test_compare_with_the_shops_own_week_when_the_signal_carries_none(
        self, project: Project, shopper: Shopper
    ) -> None:
        usual = [make_signal(NOW - timedelta(days=2), num_loops=2, num_broken_buttons=1) for _ in range(30)]
        services.record_signals(project=project, signals=usual, now=NOW - timedelta(days=2))
        long_ago = [make_signal(NOW - timedelta(days=20), num_loops=500) for _ in range(30)]
        services.record_signals(project=project, signals=long_ago, now=NOW)
        signal = make_signal(NOW, shopper(), num_loops=6, num_broken_buttons=3)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["loops_ratio"] == pytest.approx(6 / (66 / 31))
        assert recorded.values["dead_clicks_over_usual"] == pytest.approx(3 - 33 / 31)

    def test_are_unknown_while_nothing_is_usual(self, project: Project, shopper: Shopper) -> None:
        signal = make_signal(NOW, shopper(), num_loops=6, num_broken_buttons=3, performance=1.2)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        for name in ("loops_ratio", "dead_clicks_over_usual", "performance_percentile", "drop_proba"):
            assert recorded.values[name] is None

    def test_give_performance_as_a_percentile_of_the_shop(self, project: Project, shopper: Shopper) -> None:
        others = [make_signal(NOW, performance=float(n)) for n in range(1, 101)]
        services.record_signals(project=project, signals=others, now=NOW)

        (low, high) = services.record_signals(
            project=project,
            signals=[make_signal(NOW, shopper(), performance=0.5), make_signal(NOW, shopper(), performance=1e6)],
            now=NOW,
        )

        assert low.values["performance_percentile"] < 5
        assert high.values["performance_percentile"] > 95

    def test_count_the_pages_of_the_signal(self, project: Project, shopper: Shopper) -> None:
        names = [
            "https://shop.example.com/en/products/wool-scarf?variant=1",
            "/collections/sale/products/Wool-Scarf/",
            "/products/felt-hat",
            "add to cart",
        ]
        signal = make_signal(NOW, shopper(), relevant_events=[{"name": name} for name in names])

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["viewed_product_keys"] == ["/products/wool-scarf", "/products/felt-hat"]
        assert recorded.values["products_viewed"] == 2
        assert recorded.values["most_views_of_one_product"] == 2
        assert recorded.values["visited_cart"] is True

    def test_say_how_long_the_shopper_was_away(self, project: Project, shopper: Shopper) -> None:
        anna = shopper()
        first = services.record_signals(project=project, signals=[make_signal(NOW, anna)], now=NOW)
        back = NOW + timedelta(days=40)

        (recorded, _) = services.record_signals(
            project=project, signals=[make_signal(back, anna), make_signal(back + minutes(5), anna)], now=back
        )

        assert first[0].values["days_since_previous_signal"] is None
        assert recorded.values["days_since_previous_signal"] == pytest.approx(40)

    def test_are_unknown_where_a_count_was_larger_than_can_be_stored(self, project: Project, shopper: Shopper) -> None:
        clamped = {"num_events": 2**63 - 1, "num_loops": 2**63 - 1, "num_broken_buttons": 2**63 - 1}
        signal = make_signal(NOW, shopper(), **clamped, avg_loops=1.0, avg_broken_buttons=1.0)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        asked = (*clamped, "loops_ratio", "dead_clicks_over_usual")
        assert {name: recorded.values[name] for name in asked} == dict.fromkeys(asked)

    def test_say_whether_the_signal_was_clean(self, project: Project, shopper: Shopper) -> None:
        signal = make_signal(NOW, shopper(), issues=[{"field": "drop_proba", "problem": "not a number"}])

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["is_clean"] is False


class TestEventsOfAnyShape:
    @pytest.mark.parametrize("events", [[], [None], ["x"], [{"name": 3}], [{"title": "x"}], [{"name": ""}]])
    def test_are_recorded(self, project: Project, shopper: Shopper, events: list[object]) -> None:
        signal = make_signal(NOW, shopper(), relevant_events=events)

        (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

        assert recorded.values["products_viewed"] == 0
        assert not Interest.objects.exists()


def test_a_signal_of_a_shopper_erased_meanwhile_is_kept_without_identity(project: Project, shopper: Shopper) -> None:
    anna = shopper()
    signal = make_signal(NOW, anna, id=uuid.uuid4())
    Identifier.objects.filter(pk=anna.pk).delete()

    (recorded,) = services.record_signals(project=project, signals=[signal], now=NOW)

    assert recorded.customer_id is None
    assert recorded.signal.identifier is None
