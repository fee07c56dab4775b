import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Spread, number, percentile, ratio, spread, with_spread


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)], ids=["lowest", "median", "p99", "highest"]
)
def test_a_percentile_is_the_nearest_rank(share: float, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_a_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.99) == 0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_grows_with_the_share(values: list[float], share: float) -> None:
    ordered = sorted(values)

    assert percentile(ordered, share) in ordered
    assert percentile(ordered, share) <= percentile(ordered, 1.0) == ordered[-1]


def test_a_ratio_is_of_the_medians_and_spreads_over_the_rounds() -> None:
    found = ratio([100, 300, 200], [50, 100, 400])

    assert found == Spread(median=2.0, lowest=0.5, highest=3.0)


def test_a_ratio_over_nothing_is_unknown() -> None:
    assert ratio([1.0], [0.0]) is None
    assert ratio([], []) is None
    assert with_spread(None, "x") == "–"


def test_a_spread_of_one_round_has_no_range() -> None:
    assert with_spread(spread([6.31]), "x") == "6.31x"
    assert with_spread(spread([5.0, 6.0, 9.0]), "x") == "6.00x (5.00 to 9.00)"
    assert with_spread(spread([120.0]), "ms") == "120 ms"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (0.5, "0.5"),
        (4.5678, "4.57"),
        (99.96, "100"),
        (123.4, "123"),
        (1_234, "1,230"),
        (12_345, "12,300"),
    ],
)
def test_a_number_has_three_digits_that_say_something(value: float, printed: str) -> None:
    assert number(value) == printed
