"""
Reading product feed files row by row: CSV or tab-separated text, or XML (RSS 2.0 and Atom), plain or gzipped.

A file is streamed and never held whole, read up to a limit whatever it claims to be, and its XML may define nothing
(no DTD, no entities). Format: https://support.google.com/merchants/answer/7052112 (attributes),
https://support.google.com/merchants/answer/160589 (RSS and Atom with the namespace http://base.google.com/ns/1.0).
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from signals_app.catalog.constants import MAX_FEED_BYTES, FeedFormat
from signals_app.catalog.exceptions import FeedUnreadable
from signals_app.core import delimited

MAX_ELEMENTS_OF_AN_ITEM = 2_000
GOOGLE_NAMESPACE = "{http://base.google.com/ns/1.0}"

_PEEKED = 65_536
_GZIP_MAGIC = b"\x1f\x8b"


class FeedRow(NamedTuple):
    """
    One item of a feed: `number` counts the items from 1 (CSV: as a spreadsheet counts, so the first is 2).

    `cells` are the texts by attribute, named as Google names them ("image_link"). `problem` says why there are none.
    """

    number: int
    cells: dict[str, str]
    problem: str = ""


def read_rows(file: IO[bytes], *, format: str = FeedFormat.AUTO) -> Iterator[FeedRow]:
    """
    Return the items of a feed one by one.

    :raises FeedUnreadable: if the file is too large, empty, or neither of the formats.
    """
    stream = _unpacked(file)
    start = stream.peek(_PEEKED)[:_PEEKED]
    if not start.strip():
        raise FeedUnreadable("The file is empty.")
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise FeedUnreadable("This is a web page, not a feed; perhaps one to sign in on.")
    is_xml = start.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<")
    if format == FeedFormat.XML or (format == FeedFormat.AUTO and is_xml):
        return _xml_rows(stream)
    return _csv_rows(stream, start)


class _Limited(io.RawIOBase):
    """A file that refuses to be longer than `MAX_FEED_BYTES`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = MAX_FEED_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise FeedUnreadable(f"The file is larger than {MAX_FEED_BYTES // 1024 // 1024} MB.")
        buffer[: len(data)] = data
        return len(data)


class _Unzipped(io.RawIOBase):
    """A gzipped file, whose damage is an error of the feed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = gzip.GzipFile(fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (OSError, EOFError, ValueError) as error:
            raise FeedUnreadable("The gzip file is damaged.") from error
        buffer[: len(data)] = data
        return len(data)


def _unpacked(file: IO[bytes]) -> io.BufferedReader[Any]:
    stream: io.BufferedReader[Any] = io.BufferedReader(_Limited(file), _PEEKED)
    if stream.peek(2)[:2] == _GZIP_MAGIC:
        unzipped = io.BufferedReader(_Unzipped(stream), _PEEKED)
        return io.BufferedReader(_Limited(unzipped), _PEEKED)
    return stream


def _csv_rows(stream: io.BufferedReader[Any], start: bytes) -> Iterator[FeedRow]:
    try:
        dialect = delimited.detect_dialect(start)
    except delimited.NotATable as error:
        raise FeedUnreadable(str(error)) from error
    stream.read(dialect.start)
    records = delimited.read_records(stream, dialect, is_strict=False)
    heading = next(records, None)
    names = [_attribute(name) for name in heading.cells] if heading else []
    if "id" not in names or "link" not in names:
        raise FeedUnreadable("The first line must name the columns, “id” and “link” among them.")
    for record in records:
        if record.problem:
            yield FeedRow(record.number, {}, record.problem)
        elif any(cell.strip() for cell in record.cells):
            yield FeedRow(record.number, {name: cell for name, cell in zip(names, record.cells, strict=False) if name})


def _xml_rows(stream: io.BufferedReader[Any]) -> Iterator[FeedRow]:
    number = 0
    open_elements: list[Element] = []
    item_depth: int | None = None
    elements = 0
    try:
        for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                if item_depth is None and _local(element.tag) in ("item", "entry"):
                    item_depth, elements = len(open_elements), 0
                elements += 1
                if item_depth is not None and elements > MAX_ELEMENTS_OF_AN_ITEM:
                    raise FeedUnreadable(f"Item {number + 1} has more than {MAX_ELEMENTS_OF_AN_ITEM} elements.")
                open_elements.append(element)
                continue
            open_elements.pop()
            if item_depth == len(open_elements):
                item_depth = None
                number += 1
                yield FeedRow(number, _item_cells(element))
            if item_depth is None and open_elements:
                # Read and done with: without this the whole file would pile up below the root.
                open_elements[-1].remove(element)
    except DefusedXmlException:
        raise FeedUnreadable(
            "The XML declares a document type (DTD), which no feed needs and which may do harm."
        ) from None
    except (ParseError, UnicodeError, ValueError) as error:
        raise FeedUnreadable(f"The XML cannot be read after item {number}: {error}.") from error


def _item_cells(item: Element) -> dict[str, str]:
    """Return the texts of an item; an attribute of Google's own namespace wins over a plain one of the same name."""
    cells: dict[str, str] = {}
    from_google: set[str] = set()
    for child in item:
        if not isinstance(child.tag, str):
            continue
        is_google = child.tag.startswith(GOOGLE_NAMESPACE)
        name = _attribute(_local(child.tag))
        text = "".join(child.itertext()).strip() or child.get("href", "")
        if name not in cells or (is_google and name not in from_google):
            cells[name] = text
            if is_google:
                from_google.add(name)
    return cells


def _local(tag: Any) -> str:
    return tag.rsplit("}", 1)[-1].lower() if isinstance(tag, str) else ""


def _attribute(name: str) -> str:
    """Return a column's name as Google writes attributes: "g:Image Link" becomes "image_link"."""
    return name.strip().lower().removeprefix("g:").replace(" ", "_").replace("-", "_")
