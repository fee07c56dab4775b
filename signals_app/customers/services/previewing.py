"""
What joining or parting profiles would change, before anybody does it.

The preview is the act itself, in a transaction that is taken back: so it cannot tell another story than what happens
then. It writes nothing that stays; for the moment that it takes, the profiles are locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from signals_app.customers import facets
from signals_app.customers.exceptions import LinkIsGone
from signals_app.customers.facets import Trait
from signals_app.customers.models import Customer, Identifier, IdentityEdge
from signals_app.customers.services.merging import merge
from signals_app.customers.services.undoing import undo_link


@dataclass(frozen=True)
class ComparedTrait:
    """One trait of two profiles and of the one they would be; `let_go` are items that it would not have any more."""

    label: str
    left: Trait
    right: Trait
    together: Trait
    let_go: tuple[str, ...] = ()


@dataclass(frozen=True)
class MergePreview:
    """`keep` is the profile whose id would stay, as it is now."""

    left: Customer
    right: Customer
    keep: Customer
    traits: list[ComparedTrait]


@dataclass(frozen=True)
class Part:
    """One profile after a parting: whose page it would be, its known IDs and traits."""

    keeps_id: bool
    name: str
    identifiers: list[Identifier]
    traits: list[Trait]


@dataclass(frozen=True)
class UndoPreview:
    """`parts` is one profile if other links still tie both sides."""

    customer: Customer
    traits: list[Trait]
    parts: list[Part]


def describe(*, customer: Customer, now: datetime) -> list[Trait]:
    """Return what all rooms say of a profile that somebody compares with another."""
    return [trait for facet in facets.all() if facet.describe for trait in facet.describe(customer, now)]


def preview_merge(*, customer: Customer, other: Customer, now: datetime) -> MergePreview:
    """
    Return what `merge` of two profiles would make of them; nothing is changed.

    :raises ProfileIsGone: if one of them is not there any more.
    :raises SameProfile: if both are one already.
    """
    with _taken_back():
        before = {one.pk: describe(customer=one, now=now) for one in (customer, other)}
        keep = merge(customer=customer, other=other, by="", now=now)
        together = {trait.label: trait for trait in describe(customer=keep, now=now)}
    left, right = ({trait.label: trait for trait in before[one.pk]} for one in (customer, other))
    labels = list(dict.fromkeys([*left, *right, *together]))
    return MergePreview(
        left=customer,
        right=other,
        keep=customer if keep.pk == customer.pk else other,
        traits=[_compared(label, left, right, together) for label in labels],
    )


def preview_undo(*, edge: IdentityEdge, now: datetime) -> UndoPreview:
    """
    Return whom `undo_link` of a link would part; nothing is changed.

    :raises LinkIsGone: if it was undone already, or its person is being erased.
    """
    with _taken_back():
        customer = Customer.objects.select_related("project").filter(identifiers=edge.left_id).first()
        if customer is None:
            raise LinkIsGone
        traits = describe(customer=customer, now=now)
        parting = undo_link(edge=edge, by="", now=now)
        parts = [
            Part(
                keeps_id=one.pk == customer.pk,
                name=str(one),
                identifiers=list(Identifier.objects.filter(customer=one).order_by("pk")),
                traits=describe(customer=one, now=now),
            )
            for one in parting.customers
        ]
    return UndoPreview(customer, traits, parts)


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _compared(label: str, left: dict[str, Trait], right: dict[str, Trait], together: dict[str, Trait]) -> ComparedTrait:
    nothing = Trait(label, "–")
    one, other, both = (traits.get(label, nothing) for traits in (left, right, together))
    let_go = tuple(item for item in dict.fromkeys((*one.items, *other.items)) if item not in both.items)
    return ComparedTrait(label, one, other, both, let_go)
