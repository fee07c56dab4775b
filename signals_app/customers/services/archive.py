"""
Everything about one person as one ZIP that any computer opens: a page to read, and every row for a machine.

It is made while it is sent, a few hundred rows at a time: neither a file nor a long history ever stands in memory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from signals_app.customers import facets
from signals_app.customers.facets import ExportTable, Facet
from signals_app.customers.models import Customer

ROWS_TO_READ = 200
"""Rows of a list that the page shows; the file beside it has all."""
LONGEST_CELL = 400
CHUNK_BYTES = 64 * 1024


@dataclass
class ReadableTable:
    """A list as the page shows it."""

    title: str
    file: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    count: int = 0

    @property
    def left_out(self) -> int:
        return self.count - len(self.rows)


@dataclass
class _Room:
    label: str
    tables: list[ReadableTable] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class _Outlet(io.RawIOBase):
    """A file that cannot be rewound: what is written waits to be taken and sent."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.waiting.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self.waiting = b"".join(self.waiting), []
        return taken


@dataclass(frozen=True)
class _Sending:
    """One archive while it is made; every entry of it has the time at which it was asked for."""

    archive: zipfile.ZipFile
    outlet: _Outlet
    customer: Customer
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.customer.project.time_zone)

    def entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, timezone.localtime(self.now, self.zone).timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry


def archive_of(*, customer: Customer, now: datetime) -> Iterator[bytes]:
    """
    Yield the bytes of a ZIP with everything that is kept about a person.

    `index.html` is for the person; `data/<room>/<table>.json` have every row, `mails/` the mails as they looked. No name
    in it says whose it is.
    """
    outlet, rooms = _Outlet(), list[_Room]()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        sending = _Sending(archive, outlet, customer, now)
        for facet in facets.all():
            room = _Room(facet.label)
            rooms.append(room)
            for table in facet.tables:
                yield from _write_table(sending, facet, table, room)
            yield from _write_files(sending, facet, room)
        made_at = Reader(sending.zone).read(now)
        page = render_to_string(
            "customers/personal_data.html", {"rooms": rooms, "project": customer.project, "made_at": made_at}
        )
        archive.writestr(sending.entry("index.html"), page)
    yield outlet.take()


def _write_table(sending: _Sending, facet: Facet, table: ExportTable, room: _Room) -> Iterator[bytes]:
    name = f"data/{facet.name}/{table.name}.json"
    shown = ReadableTable(table.title, name, list(table.columns.values()))
    reader = Reader(sending.zone, table.words)
    with sending.archive.open(sending.entry(name), "w", force_zip64=True) as file:
        for text in _json_lines(table.rows(sending.customer), shown, table.columns, reader):
            file.write(text.encode())
            if sum(map(len, sending.outlet.waiting)) >= CHUNK_BYTES:
                yield sending.outlet.take()
    room.tables.append(shown)
    yield sending.outlet.take()


def _json_lines(
    rows: Iterable[dict[str, Any]], shown: ReadableTable, columns: Mapping[str, str], reader: Reader
) -> Iterator[str]:
    yield "["
    for row in rows:
        if shown.count < ROWS_TO_READ:
            shown.columns = shown.columns or [_words(key) for key in row]
            shown.rows.append([reader.read(row.get(key)) for key in (columns or row)])
        yield ("\n" if not shown.count else ",\n") + json.dumps(row, ensure_ascii=False, default=str)
        shown.count += 1
    yield "\n]\n"


def _write_files(sending: _Sending, facet: Facet, room: _Room) -> Iterator[bytes]:
    if facet.files is None:
        return
    for name, content in facet.files(sending.customer):
        sending.archive.writestr(sending.entry(name), content)
        if len(room.files) < ROWS_TO_READ:
            room.files.append(name)
        yield sending.outlet.take()


@dataclass(frozen=True)
class Reader:
    """Says values as a person reads them: no JSON, no code, times by the store's clock."""

    zone: ZoneInfo
    words: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: Any) -> str:
        if value is None or value in ("", [], {}):
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.3g}"
        if isinstance(value, Mapping):
            said = "; ".join(f"{_words(key)}: {self.read(each)}" for key, each in value.items())
        elif isinstance(value, list | tuple):
            said = " · ".join(self._element(each) for each in value)
        else:
            said = self.words.get(str(value)) or self._moment(str(value))
        return said if len(said) <= LONGEST_CELL else f"{said[:LONGEST_CELL]} …"

    def _element(self, value: Any) -> str:
        return self.read(next(iter(value.values())) if isinstance(value, Mapping) and len(value) == 1 else value)

    def _moment(self, text: str) -> str:
        try:
            moment = parse_datetime(text) if len(text) >= 19 and text[4:5] == "-" else None
        except ValueError:
            moment = None
        if moment is None or timezone.is_naive(moment):
            return text
        return f"{moment.astimezone(self.zone):%-d %B %Y, %H:%M}"


def _words(key: object) -> str:
    return str(key).replace("_", " ").strip().capitalize()
