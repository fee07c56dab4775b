"""
Tables of text (CSV and its kin), read row by row from a stream of bytes, beginning at any row.

Each record comes with the place in the file at which it ends, so that reading can go on there later. A record that
cannot be read costs that record alone: of one with an open quotation mark only its first line is given up.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from signals_app.core.exceptions import PermanentError

MAX_CELL = 1_000_000
"""Characters of a cell; the module `csv` has one limit for the whole process."""
MAX_RECORD = 1_000_000
"""Bytes of a record. A quotation mark that is never closed would make the rest of the file one record."""
MAX_LINES_OF_A_RECORD = 500
PEEKED = 65_536

DELIMITERS = "\t,;|"
_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .xls begin."""
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_REPLACED = "\ufffd"


class NotATable(PermanentError):
    """A file that is no table of text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written; its first record begins at the byte `start`."""

    encoding: str
    delimiter: str
    start: int = 0


class Record(NamedTuple):
    """
    One row: `number` counts as a spreadsheet does, so the heading is 1; `end` is the byte after it.

    `cells` are empty for a blank line. `problem` says why a row cannot be used.
    """

    number: int
    end: int
    cells: list[str]
    problem: str = ""


class EncodingDetector:
    """Tells the encoding of a file of which it is shown every chunk."""

    def __init__(self) -> None:
        self._start = b""
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        if len(self._start) < PEEKED:
            self._start += chunk[: PEEKED - len(self._start)]
        self._decode(chunk, is_end=False)

    def encoding(self) -> str:
        """Return the encoding of what was shown, taken for the whole file."""
        self._decode(b"", is_end=True)
        return detect_encoding(self._start, is_utf8=self._utf8 is not None)

    def _decode(self, chunk: bytes, *, is_end: bool) -> None:
        if self._utf8 is not None:
            try:
                self._utf8.decode(chunk, is_end)
            except UnicodeDecodeError:
                self._utf8 = None


def detect_encoding(start: bytes, *, is_utf8: bool | None = None) -> str:
    """Return the encoding of a file that begins so; `is_utf8` says whether all of it is valid UTF-8, if that is known."""
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding
    sample = start[:2_000]
    if len(sample) >= 4 and sample.count(0) * 3 > len(sample):
        return "utf-16-le" if sample[1::2].count(0) >= sample[::2].count(0) else "utf-16-be"
    if is_utf8 is None:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(start)
        except UnicodeDecodeError:
            is_utf8 = False
    # What spreadsheets of Western Europe write: Latin-1 with a few more signs.
    return "cp1252" if is_utf8 is False else "utf-8"


def detect_dialect(start: bytes, *, encoding: str = "") -> Dialect:
    """
    Return how a table is written that begins so; `encoding` if it is known.

    :raises NotATable: if it is none.
    """
    if start.startswith(_EXCEL):
        raise NotATable("This is an Excel file. Save it as “CSV UTF-8” and try again.")
    encoding = encoding or detect_encoding(start)
    skipped = next((len(bom) for bom, name in _BOMS if name == encoding and start.startswith(bom)), 0)
    text = start[skipped:].decode(encoding, errors="replace")
    if not text.strip():
        raise NotATable("The file is empty.")
    if "\n" not in text and "\r" in text.rstrip("\r"):
        raise NotATable(
            "The lines of the file have no line ends that can be read. Save it as “CSV UTF-8” and try again."
        )
    first = text.split("\n", 1)[0]
    if first.lower().startswith("sep=") and len(first.rstrip("\r")) == 5:  # a hint that spreadsheets write
        return Dialect(encoding, first[4], skipped + len(f"{first}\n".encode(encoding)))
    return Dialect(encoding, max(DELIMITERS, key=first.count), skipped)


def read_records(
    file: IO[bytes], dialect: Dialect, *, number: int = 0, offset: int | None = None, is_strict: bool = True
) -> Iterator[Record]:
    """
    Return the records of a table, blank lines included.

    `file` stands at the byte `offset` (default: where the table starts), behind the record `number`. Strictly, a record
    with NUL, with bytes that the encoding does not have, or with text behind a closing quotation mark cannot be used.
    """
    csv.field_size_limit(MAX_CELL)
    lines = _Lines(file, dialect.encoding, dialect.start if offset is None else offset)
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=is_strict)
    while True:
        number += 1
        lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = _words(error)
            if lines.go_back_behind_first() and is_strict:
                problem = "A quotation mark is opened and not closed."
            yield Record(number, lines.offset, [], problem)
            continue
        yield Record(number, lines.offset, cells, lines.problem() if is_strict else "")


class _Lines:
    """The lines of a file as text, with the place that has been read to, and a way back within the current record."""

    def __init__(self, file: IO[bytes], encoding: str, offset: int) -> None:
        self.offset = offset
        self._file, self._encoding = file, encoding
        self._waiting: deque[tuple[str, int]] = deque()
        self._record: list[tuple[str, int]] = []
        self._size = 0
        self._is_cut = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._record) >= MAX_LINES_OF_A_RECORD or self._size > MAX_RECORD:
            raise csv.Error("too long")
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line[1]:
            raise StopIteration
        self._record.append(line)
        self._size += line[1]
        self.offset += line[1]
        if self._is_cut:
            self._is_cut = False
            raise csv.Error("too long")
        return line[0]

    def begin_record(self) -> None:
        self._record.clear()
        self._size = 0

    def go_back_behind_first(self) -> bool:
        """Go back to the second line of the current record; say whether there was one."""
        following = self._record[1:]
        self._waiting.extendleft(reversed(following))
        self.offset -= sum(size for _, size in following)
        return bool(following)

    def problem(self) -> str:
        for line, _ in self._record:
            if "\0" in line:
                return "Holds a NUL character, which no text has."
            if _REPLACED in line:
                return "Holds characters that cannot be read. Save the file as “CSV UTF-8” and try again."
        return ""

    def _read(self) -> tuple[str, int]:
        raw, is_whole = self._line()
        size = len(raw)
        self._is_cut = not is_whole
        while not is_whole:  # read over what is left of a line that is longer than any record may be
            rest, is_whole = self._line()
            size += len(rest)
        return raw.decode(self._encoding, "replace"), size

    def _line(self) -> tuple[bytes, bool]:
        """Return the next line, or as much of it as a record may have, and whether that is all of it."""
        if not self._encoding.startswith("utf-16"):
            raw = self._file.readline(MAX_RECORD)
            return raw, raw.endswith(b"\n") or len(raw) < MAX_RECORD
        # In UTF-16 the byte of a line end may also be half of another character.
        line = bytearray()
        while len(line) < MAX_RECORD:
            piece = self._file.readline(MAX_RECORD)
            line += piece
            if not piece:
                return bytes(line), True
            if self._encoding == "utf-16-le" and len(line) % 2 and piece.endswith(b"\n"):
                line += self._file.read(1)
                if line.endswith(b"\n\0"):
                    return bytes(line), True
            elif self._encoding == "utf-16-be" and not len(line) % 2 and line.endswith(b"\0\n"):
                return bytes(line), True
        return bytes(line), False


def _words(error: csv.Error) -> str:
    said = str(error)
    if "field larger" in said or said == "too long":
        return f"Longer than {MAX_RECORD:,} characters."
    if "unexpected end" in said:
        return "A quotation mark is opened and not closed."
    if "expected after" in said:
        return "Text follows a closing quotation mark; a quotation mark within a cell is written twice."
    return "The line cannot be read: it has a line end in the middle."
