from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.shopper_signals.baseline import HIGHEST_BUCKET, LOWEST_BUCKET, Baseline, bucket

performances = st.floats(0, 1e300)


def counted(values: list[float]) -> Baseline:
    baseline = Baseline()
    for value in values:
        baseline.note(loops=1, broken_buttons=None, performance=value)
    return baseline


class TestTheBaseline:
    @given(st.lists(performances), st.lists(performances))
    def test_is_the_same_however_it_is_added_up(self, left: list[float], right: list[float]) -> None:
        one, other = counted(left), counted(right)
        one.add(counted(right))
        other.add(counted(left))

        assert one == other == counted(left + right)

    @given(st.lists(performances, min_size=20), performances, performances)
    def test_ranks_more_higher(self, values: list[float], one: float, other: float) -> None:
        baseline = counted(values)
        low, high = baseline.percentile(min(one, other)), baseline.percentile(max(one, other))

        assert low is not None
        assert high is not None
        assert 0 <= low <= high <= 100

    @given(performances, performances)
    def test_has_buckets_in_order(self, one: float, other: float) -> None:
        assert LOWEST_BUCKET <= bucket(min(one, other)) <= bucket(max(one, other)) <= HIGHEST_BUCKET

    def test_says_nothing_while_it_knows_little(self) -> None:
        few = counted([1.0] * 19)

        assert few.usual_loops is None
        assert few.percentile(1.0) is None
        assert few.median_performance is None

    def test_says_what_is_usual_once_it_knows_enough(self) -> None:
        baseline = counted([float(n) for n in range(1, 101)])

        assert baseline.usual_loops == 1
        assert baseline.usual_broken_buttons is None
        assert baseline.median_performance == pytest.approx(50, rel=0.1)
        assert baseline.percentile(50.0) == pytest.approx(50, abs=5)

    def test_has_no_median_where_time_spent_is_mostly_nothing(self) -> None:
        assert counted([0.0] * 30).median_performance is None

    def test_is_not_moved_far_by_one_absurd_number(self) -> None:
        baseline = counted([1.0] * 99)
        baseline.note(loops=2**63 - 1, broken_buttons=2**63 - 1, performance=1e308)

        assert baseline.usual_loops is not None
        assert baseline.usual_loops < 11
