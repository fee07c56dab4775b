from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.shopper_signals import decay
from signals_app.shopper_signals.folding import STATE_FIELDS, IntentState, SignalFacts, fold, merge

START = datetime(2026, 11, 1, tzinfo=UTC)
HALF_LIFE = 72

maybe = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100)
counts = st.none() | st.integers(0, 60) | st.sampled_from([-3, 2**63 - 1])
moments = st.integers(0, 60 * 24 * 45).map(lambda count: START + timedelta(minutes=count)) | st.floats(0, 3600).map(
    lambda seconds: START + timedelta(days=20, seconds=seconds)
)
signals = st.builds(
    SignalFacts,
    id=st.uuids(),
    received_at=moments,
    drop_proba=st.none() | st.floats(0, 1) | st.sampled_from([math.nan, 2.0, -1.0]),
    performance=maybe,
    num_events=counts,
    num_loops=counts,
    num_broken_buttons=counts,
    avg_loops=st.none() | st.floats(0, 10),
    avg_broken_buttons=st.none() | st.floats(0, 10),
    products_viewed=st.integers(0, 30),
    visited_cart=st.booleans(),
)


def folded(*batches: list[SignalFacts]) -> IntentState:
    state = IntentState(HALF_LIFE)
    for batch in batches:
        fold(state, batch)
    return state


def assert_same(left: IntentState, right: IntentState) -> None:
    for name in STATE_FIELDS:
        one, other = getattr(left, name), getattr(right, name)
        if isinstance(one, float) and isinstance(other, float):
            assert one == pytest.approx(other, abs=1e-6), name
        else:
            assert one == other, name


class TestFolding:
    @given(st.data(), st.lists(signals, max_size=25, unique_by=lambda signal: signal.id))
    def test_gives_the_same_in_any_order_and_any_batches(
        self, data: st.DataObject, given_signals: list[SignalFacts]
    ) -> None:
        shuffled = data.draw(st.permutations(given_signals))
        cut = data.draw(st.integers(0, len(shuffled)))

        assert_same(folded(given_signals), folded(shuffled[:cut], [], shuffled[cut:]))
        assert_same(folded(given_signals), folded(*([signal] for signal in shuffled)))

    @given(st.data(), st.lists(signals, max_size=20, unique_by=lambda signal: signal.id))
    def test_and_merging_gives_the_same_as_folding_all(
        self, data: st.DataObject, given_signals: list[SignalFacts]
    ) -> None:
        shuffled = data.draw(st.permutations(given_signals))
        cut = data.draw(st.integers(0, len(shuffled)))
        left, right = folded(shuffled[:cut]), folded(shuffled[cut:])
        other_left, other_right = folded(shuffled[:cut]), folded(shuffled[cut:])

        merge(left, right)
        merge(other_right, other_left)

        assert_same(left, folded(given_signals))
        assert_same(other_right, left)

    @given(st.lists(signals, max_size=12))
    def test_never_leaves_a_number_that_is_not_finite(self, given_signals: list[SignalFacts]) -> None:
        state = folded(given_signals)

        numbers = [value for name in STATE_FIELDS if isinstance(value := getattr(state, name), float)]
        assert all(math.isfinite(number) for number in numbers)

    def test_keeps_days_of_a_month_and_half_hours_of_a_day_however_many_signals_come(self) -> None:
        every_hour = [SignalFacts(uuid.UUID(int=n), START + timedelta(hours=n)) for n in range(24 * 90)]

        state = folded(every_hour)

        assert len(state.day_counts) == 31
        assert sum(state.day_counts.values()) == 31 * 24
        assert len(state.recent_slots) <= 48
        assert state.signal_count == 24 * 90

    def test_refuses_to_merge_what_was_folded_with_another_half_life(self) -> None:
        with pytest.raises(ValueError, match="24"):
            merge(IntentState(72), IntentState(24))


class TestTheLastSignal:
    def test_is_the_latest_received_and_of_two_at_once_the_one_with_the_larger_id(self) -> None:
        low, high = uuid.UUID(int=1), uuid.UUID(int=2)
        early = SignalFacts(uuid.UUID(int=3), START, drop_proba=0.1)

        state = folded([SignalFacts(high, START + timedelta(hours=1), drop_proba=0.7)], [early])
        fold(state, [SignalFacts(low, START + timedelta(hours=1), drop_proba=0.4)])

        assert (state.last_signal_id, state.last_drop_proba) == (high, 0.7)

    def test_leaves_the_last_known_exit_likelihood_when_it_carries_none(self) -> None:
        carried = SignalFacts(uuid.UUID(int=1), START, drop_proba=0.9)
        bare = SignalFacts(uuid.UUID(int=2), START + timedelta(minutes=1))

        assert folded([carried, bare]).last_drop_proba == 0.9


class TestThePreviousVisit:
    def at(self, *minutes: float) -> IntentState:
        return folded([SignalFacts(uuid.UUID(int=n), START + timedelta(minutes=m)) for n, m in enumerate(minutes)])

    def test_ended_with_the_last_signal_before_a_pause_of_half_an_hour(self) -> None:
        state = self.at(0, 10, 60, 85, 100)

        assert state.previous_signal_at == START + timedelta(minutes=10)
        assert state.visit_started_at == START + timedelta(minutes=60)

    def test_is_joined_to_the_last_by_a_signal_that_comes_late(self) -> None:
        state = self.at(0, 10, 55)
        assert state.previous_signal_at == START + timedelta(minutes=10)

        fold(state, [SignalFacts(uuid.uuid4(), START + timedelta(minutes=30))])

        assert state.previous_signal_at is None
        assert state.visit_started_at == START

    def test_may_be_months_ago(self) -> None:
        state = self.at(0, 5, 60 * 24 * 90)

        assert state.previous_signal_at == START + timedelta(minutes=5)

    def test_is_unknown_for_a_first_visit(self) -> None:
        assert self.at(0, 20).previous_signal_at is None


class TestADecayedQuantity:
    levels = st.none() | st.floats(-500, 8000)

    @given(levels, levels, levels)
    def test_is_added_in_any_order(self, one: float | None, two: float | None, three: float | None) -> None:
        left = decay.add(decay.add(one, two), three)
        right = decay.add(one, decay.add(three, two))

        assert left == right or left == pytest.approx(right, abs=1e-9)

    @given(st.floats(0.001, 1000), st.floats(0.001, 1000))
    def test_adds_up_values(self, one: float, two: float) -> None:
        total = decay.add(decay.log2_of(one, 6900.0, most=1e6), decay.log2_of(two, 6900.0, most=1e6))

        assert decay.value(total, 6900.0) == pytest.approx(one + two, rel=1e-9)

    @given(st.floats(0.001, 1000), st.floats(0, 50))
    def test_halves_with_each_half_life(self, weight: float, age: float) -> None:
        level = decay.log2_of(weight, 100.0, most=1e6)

        assert decay.value(level, 100.0 + age) == pytest.approx(2 * decay.value(level, 101.0 + age), rel=1e-9)

    @pytest.mark.parametrize("weight", [None, 0.0, -1.0, math.nan, -math.inf])
    def test_takes_nothing_that_is_no_positive_number(self, weight: float | None) -> None:
        assert decay.log2_of(weight, 5.0, most=10) is None

    def test_takes_the_most_for_what_is_more(self) -> None:
        assert decay.log2_of(math.inf, 5.0, most=8) == 8.0


def test_a_signal_of_another_time_zone_counts_for_its_day_in_utc() -> None:
    from zoneinfo import ZoneInfo

    signal = SignalFacts(uuid.uuid4(), datetime(2026, 11, 24, 0, 30, tzinfo=ZoneInfo("Europe/Berlin")))

    assert folded([signal]).day_counts == {"2026-11-23": 1}
    assert signal._replace(visited_cart=True).visited_cart
