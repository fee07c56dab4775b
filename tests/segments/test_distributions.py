from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.segments.distributions import MOST_BARS, Bar, distribution
from signals_app.segments.fields import Field, FieldType, Scope

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def field(kind: FieldType, **more: Any) -> Field:
    return Field("f", "F", kind, Scope.SIGNAL, **more)


NUMBER = field(FieldType.NUMBER)


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=60))
def test_every_known_number_is_in_one_bar(values: list[float | None]) -> None:
    found = distribution(NUMBER, values, now=NOW)

    known = sum(value is not None for value in values)
    assert len(found.bars) <= MOST_BARS
    assert found.known == pytest.approx(known / max(1, len(values)))
    assert sum(bar.share for bar in found.bars) == pytest.approx(found.known)


@given(st.lists(st.none() | st.datetimes(max_value=NOW.replace(tzinfo=None)), max_size=30))
def test_every_known_time_is_in_one_bar(values: list[datetime | None]) -> None:
    found = distribution(field(FieldType.DATETIME), [one and one.replace(tzinfo=UTC) for one in values], now=NOW)

    assert sum(bar.share for bar in found.bars) == pytest.approx(found.known)


def test_many_numbers_stand_in_round_steps() -> None:
    found = distribution(NUMBER, [float(number) for number in range(100)], now=NOW)

    assert [bar.label for bar in found.bars][:2] == ["0 to 20", "20 to 40"]
    assert found.bars[-1].label == "80 and more"
    assert found.bars[0].share == 0.2


def test_one_far_out_does_not_flatten_the_rest() -> None:
    found = distribution(NUMBER, [number / 10 for number in range(200)] + [1e12], now=NOW)

    assert found.bars[0].share < 0.3


def test_shares_read_as_per_cent_and_few_values_stand_for_themselves() -> None:
    share = field(FieldType.NUMBER, unit="%")

    assert distribution(share, [0.1, 0.1, 0.805, None], now=NOW).bars == (Bar("10", 0.5), Bar("80.5", 0.25))


def test_a_text_that_is_different_for_everyone_has_no_bars() -> None:
    text = field(FieldType.TEXT)

    assert distribution(text, ["a@example.com", "b@example.com", None, None], now=NOW).bars == ()
    assert distribution(text, ["Berlin", "Berlin", "Bonn", None], now=NOW).bars == (Bar("Berlin", 0.5),)


def test_lists_count_each_member_once_a_profile() -> None:
    found = distribution(field(FieldType.LIST), [["a", "b"], ["a"], [], ["a", "a"]], now=NOW)

    assert (found.known, found.bars) == (0.75, (Bar("a", 0.75),))


def test_choices_stand_in_their_own_order_and_age_in_that_of_time() -> None:
    choice = field(FieldType.CHOICE, choices=(("b", "Browsing"), ("l", "Lapsed")))

    assert distribution(choice, ["l", "l", None], now=NOW).bars == (
        Bar("Browsing", 0),
        Bar("Lapsed", pytest.approx(2 / 3)),
    )
    ages = distribution(field(FieldType.DATETIME), [NOW, NOW - timedelta(days=400)], now=NOW)
    assert [bar.label for bar in ages.bars if bar.share] == ["the last 24 hours", "longer ago"]
    assert distribution(NUMBER, [], now=NOW).bars == ()
