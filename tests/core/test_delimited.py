"""Tables are read row by row from any place on, and what cannot be read costs one row."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.core import delimited
from signals_app.core.delimited import Dialect, EncodingDetector, Record, detect_dialect, read_records

ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be"}
# What a table of text may hold; control characters and what no encoding has are another test's business.
cell = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffd\ufeff") | st.just("\n"), max_size=8
)


def read(raw: bytes, **options: Any) -> list[Record]:
    return list(read_records(io.BytesIO(raw), Dialect("utf-8", ","), **options))


def written(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


@given(
    rows=st.lists(st.lists(cell, min_size=2, max_size=3), min_size=1, max_size=6),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    delimiter=st.sampled_from(delimited.DELIMITERS),
)
def test_every_table_comes_back_from_every_place(rows: list[list[str]], encoding: str, delimiter: str) -> None:
    raw = written(rows, delimiter).encode(encoding)
    dialect = Dialect(ENCODINGS[encoding], delimiter, 3 if encoding == "utf-8-sig" else 0)

    def records(number: int = 0, offset: int = dialect.start) -> list[Record]:
        file = io.BytesIO(raw)
        file.seek(offset)
        return list(read_records(file, dialect, number=number, offset=offset))

    whole = records()

    assert [record.cells for record in whole] == rows
    assert [record.problem for record in whole] == [""] * len(rows)
    assert whole[-1].end == len(raw)
    for record in whole:
        assert records(record.number, record.end) == whole[record.number :]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_encoding_and_the_delimiter_are_recognised(encoding: str, delimiter: str) -> None:
    text = f"Name{delimiter}E-mail\r\nJürgen{delimiter}j@example.com\r\n" * 3
    raw = text.encode(encoding)
    detector = EncodingDetector()
    for place in range(0, len(raw), 7):
        detector.feed(raw[place : place + 7])

    dialect = detect_dialect(raw, encoding=detector.encoding())
    file = io.BytesIO(raw)
    file.seek(dialect.start)

    assert [record.cells for record in read_records(file, dialect)][:2] == [
        ["Name", "E-mail"],
        ["Jürgen", "j@example.com"],
    ]


def test_an_accent_far_down_tells_that_it_is_not_utf_8() -> None:
    detector = EncodingDetector()
    detector.feed(b"a,b\n" * 50_000)
    detector.feed("é,b\n".encode("cp1252"))

    assert detector.encoding() == "cp1252"


def test_the_hint_of_a_spreadsheet_is_taken() -> None:
    assert detect_dialect(b"sep=;\r\na;b\r\n") == Dialect("utf-8", ";", 7)


@pytest.mark.parametrize("raw", [b"", b" \n\n", b"\xef\xbb\xbf", b"a,b\rc,d\r"])
def test_what_is_no_table_is_refused(raw: bytes) -> None:
    with pytest.raises(delimited.NotATable):
        detect_dialect(raw)


@pytest.mark.parametrize("raw", [b"PK\x03\x04\x14\0\x06\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_of_a_workbook_it_is_said_what_it_is_and_what_to_do(raw: bytes) -> None:
    with pytest.raises(delimited.NotATable, match="an Excel file"):
        detect_dialect(raw)


def test_an_open_quotation_mark_costs_its_own_row() -> None:
    found = read(b'a,b\n"c,d\ne,f\n"g","h"\ni,j\n')

    assert [(record.number, record.cells, bool(record.problem)) for record in found] == [
        (1, ["a", "b"], False),
        (2, [], True),
        (3, ["e", "f"], False),
        (4, ["g", "h"], False),
        (5, ["i", "j"], False),
    ]
    assert found[1].problem == "A quotation mark is opened and not closed."
    assert found[1].end == 9


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'x,"y"z\n', "Text follows a closing quotation mark"),
        (b"x\0,y\n", "NUL"),
        (b"x\xff,y\n", "cannot be read"),
        (b"x\ry,z\n", "line end in the middle"),
        (b"x" * 1_500_000 + b",y\n", "Longer than"),
        (b"x,y" + b"\x00" * 3_000_000 + b"\n", "Longer than"),
    ],
)
def test_a_broken_row_is_named_and_the_next_one_read(raw: bytes, problem: str) -> None:
    heading, broken, following = read(b"a,b\n" + raw + b"good,row\n")

    assert problem in broken.problem
    assert (following.number, following.cells, following.problem) == (3, ["good", "row"], "")
    assert heading.end == 4


def test_a_file_of_open_quotation_marks_ends() -> None:
    found = read(b'"x,y\n' * 2_001)

    assert len(found) <= 2_001
    assert found[-1].end == 5 * 2_001


@given(raw=st.binary(max_size=400))
def test_any_bytes_are_read_to_their_end(raw: bytes) -> None:
    found = read(raw)

    assert [record.number for record in found] == list(range(1, len(found) + 1))
    assert found[-1].end == len(raw) if found else not raw
