"""The field catalogue: every fact about a shopper, a signal or an order that a condition may ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import NullIf

from signals_app.core.exceptions import PermanentError


class FieldType(StrEnum):
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    CHOICE = "choice"
    LIST = "list"


class Scope(StrEnum):
    """What a field describes: profile fields can be asked of the database, the others come with a trigger."""

    PROFILE = "profile"
    SIGNAL = "signal"
    ORDER = "order"


class UnknownField(PermanentError):
    """A condition names a field that nobody registered."""


@dataclass(frozen=True)
class Field:
    """
    One entry of the catalogue; `label`, `unit` and `help` are the marketer's words.

    A profile field says where its value stands, in one of three ways: `lookup` (a path from Customer), `expression`
    (an ORM expression over Customer for a moment), or `to_q` and `read` together (lists). An expression that is a
    subquery has a `to_q` beside it, which asks a whole store at once (`related_rows`). A number's expression is a float
    and a text's empty string is null, so that the database and Python compare alike.
    """

    name: str
    label: str
    type: FieldType
    scope: Scope
    unit: str = ""
    """For people only; "%" is a share: kept as 0..1, read and typed as per cent."""
    choices: tuple[tuple[str, str], ...] = ()
    lookup: str = ""
    expression: Callable[[datetime], Combinable] | None = None
    to_q: Callable[[str, Any, datetime], Q] | None = None
    """(operator, value, now) -> Q over Customer."""
    read: Callable[[Collection[UUID], datetime], dict[UUID, Any]] | None = None
    """(customer ids, now) -> values by customer id; an absent customer has none."""
    group: str = ""
    help: str = ""

    @property
    def is_share(self) -> bool:
        return self.unit == "%"

    @property
    def is_plain_text(self) -> bool:
        """Whether the value is a text column as it stands, in which nothing known is an empty string."""
        return self.type is FieldType.TEXT and self.expression is None and bool(self.lookup)

    def at(self, now: datetime) -> Combinable:
        """Return the ORM expression of the value at `now`."""
        if self.is_plain_text:
            return NullIf(F(self.lookup), Value("", output_field=CharField()))
        return self.expression(now) if self.expression else F(self.lookup)


_catalogue: dict[tuple[Scope, str], Field] = {}


def register(field: Field) -> None:
    """Add a field to the catalogue; registering the same name again replaces it."""
    if field.scope is Scope.PROFILE and not (field.lookup or field.expression or (field.to_q and field.read)):
        raise ValueError(f"the profile field {field.name} does not say where its value stands")
    _catalogue[field.scope, field.name] = field


def field(scope: Scope, name: str) -> Field:
    """
    Return one field.

    :raises UnknownField: if nobody registered it.
    """
    try:
        return _catalogue[scope, name]
    except KeyError:
        raise UnknownField(f"there is no {scope} field named {name!r}") from None


def fields(scope: Scope) -> Mapping[str, Field]:
    """Return the fields of a scope by name, in the order of registration."""
    return {name: entry for (entry_scope, name), entry in _catalogue.items() if entry_scope is scope}
