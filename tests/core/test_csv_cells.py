from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.core.csv_cells import neutralise


@pytest.mark.parametrize(
    "value", ["=1+1", "+49 30", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "|calc", "%0A=1", "\ufeff=1"]
)
def test_what_a_spreadsheet_would_compute_is_shown_instead(value: str) -> None:
    assert neutralise(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", " ", "Anna", "a=b", "1-2", "'=1", "ß", "日本"])
def test_other_text_stays_as_it_is(value: str) -> None:
    assert neutralise(value) == value


@given(st.text())
def test_it_is_done_once(value: str) -> None:
    assert neutralise(neutralise(value)) == neutralise(value)
