"""Pages that neither skip nor repeat a row while others are added, however deep one goes."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Literal

from django.core.exceptions import ValidationError as NotOfThisType
from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

DEFAULT_PAGE_SIZE = 50
STREAM_CHUNK = 500

LATE_COMMITS = timedelta(minutes=2)
"""Longer than any transaction of ours runs. A row is stamped before it is committed, so a reader that asks for what
changed since the moment of its last answer would miss what was committed after it with an earlier stamp."""


@dataclass(frozen=True)
class Ordering:
    """Something a list can be sorted by: a column (or path) and the type of its values in a cursor."""

    path: str
    type: Literal["datetime", "float", "text", "uuid"]


@dataclass(frozen=True)
class Position:
    """A place in a list: the row with this value and key. `is_backward`: towards the beginning."""

    ordering: str
    value: Any
    pk: str
    is_backward: bool = False


def as_of() -> datetime:
    """Return the moment that the next `updated_since` should say, so that no late commit is missed."""
    return timezone.now() - LATE_COMMITS


def page_answer(results: list[Any], *, next_url: str | None = None, previous_url: str | None = None) -> dict[str, Any]:
    return {"next": next_url, "previous": previous_url, "as_of": as_of(), "results": results}


class Keyset:
    """One list in one order; `name` is the ordering as asked for, "-" in front for descending."""

    def __init__(self, queryset: QuerySet[Any], orderings: dict[str, Ordering], name: str) -> None:
        self.queryset = queryset
        self.name = name
        self.ordering = orderings[name.lstrip("-")]
        self.is_descending = name.startswith("-")

    def page(self, *, cursor: str, size: int) -> tuple[list[Any], str | None, str | None]:
        """
        Return the rows of a page, and the cursors of the next and the previous one.

        :raises ValidationError: if the cursor is not one of this list in this order.
        """
        position = self._read(cursor) if cursor else None
        is_backward = position is not None and position.is_backward
        rows = list(self._rows(position)[: size + 1])
        has_more, rows = len(rows) > size, rows[:size]
        if is_backward:
            rows.reverse()
        following = self._cursor(rows[-1], is_backward=False) if rows and (has_more or is_backward) else None
        preceding = (
            self._cursor(rows[0], is_backward=True) if rows and (has_more if is_backward else bool(position)) else None
        )
        return rows, following, preceding

    def chunks(self) -> Iterator[list[Any]]:
        """Yield all rows in chunks, without holding a transaction or more than one chunk."""
        position: Position | None = None
        while rows := list(self._rows(position)[:STREAM_CHUNK]):
            yield rows
            position = Position(self.name, _value(rows[-1], self.ordering.path), str(rows[-1].pk))

    def _rows(self, position: Position | None) -> QuerySet[Any]:
        # Rows without a value come last. "Backward" turns the whole order round.
        is_backward = position is not None and position.is_backward
        is_descending = self.is_descending != is_backward
        column = F(self.ordering.path)
        nulls: dict[str, Any] = {}
        if self._may_lack_a_value():  # saying so for others would keep PostgreSQL from reading along the index
            nulls = {"nulls_first": True} if is_backward else {"nulls_last": True}
        rows = self.queryset.order_by(
            column.desc(**nulls) if is_descending else column.asc(**nulls), "-pk" if is_descending else "pk"
        )
        return rows.filter(_beyond(self.ordering.path, position, is_descending=is_descending)) if position else rows

    def _may_lack_a_value(self) -> bool:
        path = self.ordering.path
        return "__" in path or bool(self.queryset.model._meta.get_field(path).null)

    def _cursor(self, row: Model, *, is_backward: bool) -> str:
        value = _value(row, self.ordering.path)
        written = value.isoformat() if isinstance(value, datetime) else value
        written = str(written) if isinstance(written, uuid.UUID) else written
        text = json.dumps([self.name, written, str(row.pk), int(is_backward)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> Position:
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            name, written, pk, is_backward = json.loads(text)
            value = None if written is None else _READERS[self.ordering.type](written)
            if name != self.name or is_backward not in (0, 1):
                raise ValueError("of another list")
            key = self.queryset.model._meta.pk.to_python(pk)
            return Position(name, value, str(key), bool(is_backward))
        except (ValueError, TypeError, RecursionError, OverflowError, NotOfThisType) as error:
            raise ValidationError({"cursor": ["Not a cursor of this list in this order."]}) from error


def page_urls(request: Request, following: str | None, preceding: str | None) -> dict[str, str | None]:
    here = request.build_absolute_uri()
    return {
        "next_url": replace_query_param(here, "cursor", following) if following else None,
        "previous_url": replace_query_param(here, "cursor", preceding) if preceding else None,
    }


def _beyond(path: str, position: Position, *, is_descending: bool) -> Q:
    side = "lt" if is_descending else "gt"
    if position.value is None:
        same = Q(**{f"{path}__isnull": True, f"pk__{side}": position.pk})
        return same | Q(**{f"{path}__isnull": False}) if position.is_backward else same
    beyond = Q(**{f"{path}__{side}": position.value}) | Q(**{path: position.value, f"pk__{side}": position.pk})
    return beyond if position.is_backward else beyond | Q(**{f"{path}__isnull": True})


def _value(row: Any, path: str) -> Any:
    for part in path.split("__"):
        row = getattr(row, part, None)
    return row


def _read_datetime(written: Any) -> datetime:
    value = datetime.fromisoformat(written)
    if value.tzinfo is None:
        raise ValueError("without a time zone")
    return value


def _read_float(written: Any) -> float:
    if isinstance(written, bool) or not isinstance(written, int | float) or not isfinite(written):
        raise ValueError("not a number")
    return float(written)


def _read_text(written: Any) -> str:
    if not isinstance(written, str) or "\0" in written:
        raise ValueError("not text")
    written.encode()
    return written


_READERS: dict[str, Callable[[Any], Any]] = {
    "datetime": _read_datetime,
    "float": _read_float,
    "text": _read_text,
    "uuid": lambda written: uuid.UUID(_read_text(written)),
}
