"""The statistics of calibration, without any shop."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.shopper_signals.calibration import (
    BINS,
    Bin,
    Reliability,
    Verdict,
    drift,
    samples_needed,
    wilson,
)

samples = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def counted(*pairs: tuple[float, bool]) -> Reliability:
    found = Reliability()
    for predicted, happened in pairs:
        found.note(predicted=predicted, happened=happened)
    return found


class TestWilsonsInterval:
    @given(st.integers(0, 10_000), st.integers(0, 10_000))
    def test_holds_the_share_and_stays_between_0_and_1(self, happened: int, more: int) -> None:
        count = happened + more
        low, high = wilson(happened, count)

        assert 0 <= low <= high <= 1
        if count:
            assert low <= happened / count <= high

    @given(st.integers(0, 200), st.integers(1, 200))
    def test_narrows_with_more_of_the_same(self, happened: int, missed: int) -> None:
        count = happened + missed
        low, high = wilson(happened, count)
        lower, higher = wilson(happened * 10, count * 10)

        assert higher - lower < high - low

    def test_is_the_one_of_the_textbooks(self) -> None:
        assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
        assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)

    def test_holds_the_true_share_about_as_often_as_it_says(self) -> None:
        chance = random.Random(5)
        for true in (0.03, 0.3, 0.9):
            held = 0
            for _ in range(1_000):
                happened = sum(chance.random() < true for _ in range(60))
                low, high = wilson(happened, 60)
                held += low <= true <= high
            assert 0.91 < held / 1_000 <= 0.99


class TestCounts:
    @given(samples, samples)
    def test_add_up_in_any_order_and_survive_being_stored(
        self, some: list[tuple[float, bool]], others: list[tuple[float, bool]]
    ) -> None:
        together = counted(*some, *others)
        apart = Reliability.from_rows(counted(*others).as_rows())
        apart.add(counted(*some))

        assert apart.count == together.count == len(some) + len(others)
        assert apart.happened == together.happened
        for one, other in zip(apart.as_rows(), together.as_rows(), strict=True):
            assert one == pytest.approx(other)

    def test_that_are_nothing_are_nothing(self) -> None:
        nothing = Reliability.from_rows([])

        assert (nothing.count, nothing.base_rate, nothing.brier, nothing.reference, nothing.ranking) == (
            *(0, None, None),
            *(None, None),
        )
        assert not nothing.is_enough

    @given(samples)
    def test_know_the_mean_squared_error(self, some: list[tuple[float, bool]]) -> None:
        found = counted(*some)
        if not some:
            return
        exact = sum((predicted - happened) ** 2 for predicted, happened in some) / len(some)

        assert found.brier == pytest.approx(exact)
        assert 0 <= exact <= 1

    @given(samples.filter(bool))
    def test_of_always_the_base_rate_have_the_reference_as_error(self, some: list[tuple[float, bool]]) -> None:
        rate = sum(happened for _, happened in some) / len(some)
        found = counted(*((rate, happened) for _, happened in some))

        assert found.brier == pytest.approx(found.reference)

    @given(samples)
    def test_rank_between_never_and_always_right(self, some: list[tuple[float, bool]]) -> None:
        ranking = counted(*some).ranking

        assert ranking is None or 0 <= ranking <= 1

    def test_rank_perfectly_when_those_for_whom_it_happened_stand_above(self) -> None:
        assert counted((0.95, True), (0.85, True), (0.15, False)).ranking == 1
        assert counted((0.15, True), (0.95, False)).ranking == 0
        assert counted((0.55, True), (0.55, False)).ranking == 0.5


class TestABin:
    def test_says_how_it_compares_with_the_prediction(self) -> None:
        assert Bin(20, 10, 10.0, 5.0).verdict() is Verdict.TOO_FEW
        assert Bin(100, 52, 50.0, 25.0).verdict() is Verdict.AS_PREDICTED
        assert Bin(100, 90, 50.0, 25.0).verdict() is Verdict.MORE
        assert Bin(100, 10, 50.0, 25.0).verdict() is Verdict.LESS


class TestEnough:
    def test_takes_more_samples_the_rarer_what_happens(self) -> None:
        assert samples_needed(None) == samples_needed(0.5) == 385
        assert samples_needed(0.01) == samples_needed(0.99) == 2_000
        assert samples_needed(0.001) == samples_needed(0.01)


class TestDrift:
    def test_is_told_from_chance(self) -> None:
        chance = random.Random(3)

        def week(true: float) -> Reliability:
            return counted(*((0.8, chance.random() < true) for _ in range(300)))

        steady = drift([week(0.8) for _ in range(8)])
        turned = drift([week(0.8 if number < 4 else 0.6) for number in range(8)])

        assert steady is not None
        assert turned is not None
        assert not steady.is_real
        assert turned.is_real
        assert turned.change == pytest.approx(-0.2, abs=0.05)
        assert drift([week(0.8)]) is None

    def test_of_probabilities_that_are_true_is_found_in_few_stores(self) -> None:
        chance = random.Random(4)
        found = 0
        for _ in range(100):
            weeks = [
                counted(*((p, chance.random() < p) for p in (chance.random() for _ in range(100)))) for _ in range(6)
            ]
            one = drift(weeks)
            found += one is not None and one.is_real
        assert found <= 3


def test_true_probabilities_are_recovered_within_the_intervals() -> None:
    chance = random.Random(11)
    found = Reliability()
    for _ in range(20_000):
        probability = chance.random()
        found.note(predicted=probability, happened=chance.random() < probability)

    within = sum(each.verdict() is Verdict.AS_PREDICTED for each in found.bins)

    assert within >= BINS - 2
    assert found.brier == pytest.approx(1 / 6, abs=0.005)
    assert found.reference == pytest.approx(1 / 4, abs=0.002)
