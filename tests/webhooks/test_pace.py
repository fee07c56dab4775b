from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signals_app.webhooks.pace import Pace


def steps(pace: Pace, *, fixed: float, each: float, times: int = 20) -> list[int]:
    """Let transactions cost `fixed` seconds and `each` for every signal, and return the sizes chosen."""
    sizes = []
    for _ in range(times):
        pace.note(count=pace.size, seconds=fixed + each * pace.size)
        sizes.append(pace.size)
    return sizes


def test_it_grows_step_by_step_to_what_takes_as_long_as_it_should() -> None:
    sizes = steps(Pace(aim_seconds=0.25, least=20, most=10_000), fixed=0.05, each=0.0002)

    assert sizes[:3] == [40, 80, 160]
    assert 0.2 <= 0.05 + 0.0002 * sizes[-1] <= 0.3


def test_it_shrinks_at_once_when_a_transaction_took_too_long() -> None:
    pace = Pace(aim_seconds=0.025, least=5, most=200, size=100)

    pace.note(count=100, seconds=0.1)

    assert pace.size == 25


def test_it_learns_nothing_from_a_few() -> None:
    pace = Pace(aim_seconds=0.25, least=20, most=1_000, size=500)

    pace.note(count=3, seconds=0.01)

    assert pace.size == 500


def test_it_does_not_shrink_away_where_each_transaction_has_a_price() -> None:
    sizes = steps(Pace(aim_seconds=0.25, least=20, most=1_000, size=400), fixed=1.0, each=0.001)

    assert sizes[-1] == 20


@given(st.lists(st.tuples(st.integers(0, 2_000), st.floats(0, 100)), max_size=50))
def test_it_stays_within_its_bounds(measured: list[tuple[int, float]]) -> None:
    pace = Pace(aim_seconds=0.25, least=20, most=1_000)

    for count, seconds in measured:
        pace.note(count=count, seconds=seconds)

        assert 20 <= pace.size <= 1_000
