"""
What can be imported and exported: each room registers its kinds in its `AppConfig.ready()`.

This room knows files, slices, progress and problems; a kind knows what a row means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from signals_app.projects.models import Project
from signals_app.transfers.exceptions import UnknownKind

OTHER_PREFIX = "attribute:"
"""A column that is kept under a name of its own: "attribute:shoe_size"."""


@dataclass(frozen=True)
class Column:
    """Something that a column of a file can mean; `guesses` are headings by which it is recognised, in lower case."""

    name: str
    label: str
    help: str = ""
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """A question about the whole file; its answer holds for rows that do not answer it themselves."""

    name: str
    label: str
    help: str = ""
    type: Literal["text", "lines", "moment", "choice"] = "text"
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""
    max_length: int = 200


@dataclass(frozen=True)
class ImportContext:
    """
    One run of an import. `reference` names it; `evidence` also says from which file, by its hash.

    `options` are the answers by name, as texts; an answer that was not given is empty.
    """

    project: Project
    options: Mapping[str, str]
    reference: str
    evidence: str
    now: datetime


class Row(NamedTuple):
    """A row that was read; `value` is what the kind's reader made of it."""

    number: int
    value: Any


@dataclass
class Stored:
    """What became of some rows. `refused` are (row number, column, message)."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.refused += other.refused


RowReader = Callable[[Mapping[str, str]], Any]
"""Makes a value of the cells of a row by column name, stripped; raises RowRefused."""


@dataclass(frozen=True)
class ImportKind:
    """
    How a list of something is imported.

    `reader(context, columns)` answers with what reads a row, and raises ColumnsRefused where the answers about the
    file do not do. `store` writes rows in the caller's transaction, in a number of statements that does not depend on
    theirs, and changes nothing for rows that say what is known.
    """

    name: str
    label: str
    explanation: str
    columns: tuple[Column, ...]
    reader: Callable[[ImportContext, frozenset[str]], RowReader]
    store: Callable[[ImportContext, Sequence[Row]], Stored]
    options: tuple[Option, ...] = ()
    needs_one_of: tuple[tuple[str, ...], ...] = ()
    """Of each of these groups of columns the file must have one."""
    takes_other_columns: bool = False
    """Columns that mean nothing known may be kept under a name of their own."""

    def label_of(self, name: str) -> str:
        """Return what a marketer calls a column or an answer."""
        if name.startswith(OTHER_PREFIX):
            return name.removeprefix(OTHER_PREFIX)
        known: tuple[Column | Option, ...] = (*self.columns, *self.options)
        return next((one.label for one in known if one.name == name), name)


@dataclass(frozen=True)
class ExportContext:
    project: Project
    parameters: Mapping[str, Any]
    now: datetime
    """When the export was asked for."""


class Page(NamedTuple):
    """Some rows of an export, and the JSON value from which the next page goes on; None: there is none."""

    rows: list[list[Any]]
    after: Any


@dataclass(frozen=True)
class ExportKind:
    """
    How a list of something is exported: in pages along an index, each in a fixed number of queries.

    `check(project, parameters)` returns the parameters to keep, which never hold personal data, or raises
    ParametersRefused; `words` says in a few words what the list holds.
    """

    name: str
    label: str
    explanation: str
    columns: Callable[[ExportContext], list[str]]
    page: Callable[[ExportContext, Any, int], Page]
    count: Callable[[ExportContext], int]
    check: Callable[[Project, Mapping[str, Any]], dict[str, Any]]
    words: Callable[[Project, Mapping[str, Any]], str]
    is_offered: bool = True
    """False: it is asked for on a page of its own room, such as that of a segment."""


_imports: dict[str, ImportKind] = {}
_exports: dict[str, ExportKind] = {}


def register_import(kind: ImportKind) -> None:
    """Make a kind of import known; registering the same name again replaces it."""
    _imports[kind.name] = kind


def register_export(kind: ExportKind) -> None:
    """Make a kind of export known; registering the same name again replaces it."""
    _exports[kind.name] = kind


def import_kinds() -> list[ImportKind]:
    """Return every kind of import, in the order of registration."""
    return list(_imports.values())


def export_kinds() -> list[ExportKind]:
    """Return every kind of export, in the order of registration."""
    return list(_exports.values())


def import_kind(name: str) -> ImportKind:
    """
    Return one kind of import.

    :raises UnknownKind: if nobody registered it.
    """
    try:
        return _imports[name]
    except KeyError:
        raise UnknownKind(f"There is no import of “{name}”; there are: {', '.join(_imports)}.") from None


def export_kind(name: str) -> ExportKind:
    """
    Return one kind of export.

    :raises UnknownKind: if nobody registered it.
    """
    try:
        return _exports[name]
    except KeyError:
        raise UnknownKind(f"There is no export of “{name}”; there are: {', '.join(_exports)}.") from None


def no_parameters(project: Project, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check the parameters of a kind that has none."""
    return {}
