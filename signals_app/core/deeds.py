"""
What people do in the admin, told to whoever keeps a record of it.

The admin's base classes tell it for every list and page; the room that keeps the record, above this one, listens. A deed
says which row by its id, and names it only where people chose the name themselves: what a shopper is called must not
outlive them in a log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.http import HttpRequest


class DeedKind(StrEnum):
    SAW = "SAW"
    LISTED = "LISTED"
    ADDED = "ADDED"
    CHANGED = "CHANGED"
    DELETED = "DELETED"
    EXPORTED = "EXPORTED"
    ERASED = "ERASED"
    MERGED = "MERGED"
    DID = "DID"
    SIGNED_IN = "SIGNED_IN"


@dataclass(frozen=True)
class Deed:
    """`model` is a label such as "remarketing.remarketingrule"; `detail` says more, without personal data."""

    kind: DeedKind
    model: str = ""
    object_id: str = ""
    object_name: str = ""
    detail: str = ""
    is_look: bool = False
    """Of looking, one an hour is told for each person and row."""


Listener = Callable[[HttpRequest, Deed], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have deeds told to a function."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell(request: HttpRequest, deed: Deed) -> None:
    """Tell what the person of a request does; looking does not hide from `has_told` that nothing else was told."""
    if not deed.is_look:
        request._has_told_deed = True  # type: ignore[attr-defined]
    for listener in _listeners:
        listener(request, deed)


def has_told(request: HttpRequest) -> bool:
    """Say whether something that the person of a request did has been told."""
    return bool(getattr(request, "_has_told_deed", False))
