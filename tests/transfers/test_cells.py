"""What a cell says, and that no cell of an export is a formula."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.transfers import cells
from signals_app.transfers.exceptions import RowRefused

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@given(text=st.text(max_size=20) | st.sampled_from(["=1+1", "+49", "-2", "@x", "\t=1", "\r=1", "'=1", "''@", "＝1"]))
def test_no_text_is_a_formula_and_every_text_comes_back(text: str) -> None:
    written = cells.neutralised(text)

    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert cells.as_written(written) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("-5", "'-5"),
        (Decimal("-5.00"), "-5.00"),
        (-5, "-5"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        ("a\0b", "ab"),
        (datetime(2026, 11, 2, 10, tzinfo=BERLIN), "2026-11-02T09:00:00+00:00"),
        ("plain", "plain"),
    ],
)
def test_a_value_as_it_stands_in_a_table(value: Any, written: str) -> None:
    assert cells.cell(value, neutralises=True) == written


def test_formulas_stay_where_a_program_asks_for_them() -> None:
    assert cells.cell("=1+1", neutralises=False) == "=1+1"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02", datetime(2026, 11, 1, 23, tzinfo=UTC)),
        ("2026-11-02 14:30", datetime(2026, 11, 2, 13, 30, tzinfo=UTC)),
        ("2026-11-02T14:30:00Z", datetime(2026, 11, 2, 14, 30, tzinfo=UTC)),
        ("2026-11-02T14:30:00-05:00", datetime(2026, 11, 2, 19, 30, tzinfo=UTC)),
        ("02.11.2026", datetime(2026, 11, 1, 23, tzinfo=UTC)),
        ("2.11.2026 08:15", datetime(2026, 11, 2, 7, 15, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_on_the_clock_of_the_store(text: str, moment: datetime) -> None:
    assert cells.moment(text, "when", zone=BERLIN, now=NOW) == moment


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "11/02/2026", "2026-13-01", "31.02.2026", "2026-11-25", "0001-01-01", "1989-12-31", "20261102"],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(RowRefused):
        cells.moment(text, "when", zone=BERLIN, now=NOW)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("59.90", "59.90"), ("59,90", "59.90"), ("1,299.90", "1299.90"), ("1.299,90", "1299.90"), ("1 299,5", "1299.50"),
     ("0", "0.00"), ("1,299", "1299.00")],
)  # fmt: skip
def test_an_amount_is_read_in_either_notation(text: str, amount: str) -> None:
    assert cells.amount(text, "total") == Decimal(amount)


@pytest.mark.parametrize("text", ["", "-1", "-0.01", "1.299", "59.90 EUR", "NaN", "Infinity", "1e5", "9" * 20, "1.2.3"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(RowRefused):
        cells.amount(text, "total")


@given(text=st.text(max_size=30))
def test_any_cell_is_read_or_refused(text: str) -> None:
    for read in (
        lambda: cells.amount(text, "x"),
        lambda: cells.moment(text, "x", zone=BERLIN, now=NOW),
        lambda: cells.yes_or_no(text, "x"),
    ):
        with contextlib.suppress(RowRefused):
            read()
