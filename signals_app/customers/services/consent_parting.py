"""
What each side said itself, after a link between them was undone.

An answer is written on all IDs of a customer that hold one (`record_consent`). So while two people were taken for one, the
yes of the one has overwritten the no of the other. The history knows who said what: it is gone through again, with the
links that remain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from signals_app.customers.models import Consent, ConsentChange, Customer, IdentityEdge
from signals_app.customers.services.consent_answers import Answer

SAME_MOMENT = timedelta(seconds=5)
"""The call that says a consent may be the one that shows a link; the link has the database's time, a moment later."""


class _Said(NamedTuple):
    identifier: int
    recorded_at: datetime
    answer: Answer


class _Bond(NamedTuple):
    left: int
    right: int
    since: datetime


def restore_consents(*, customer: Customer, identifiers: Collection[int]) -> None:
    """Give the (locked) customer's IDs the answers of their own people, where others' have overwritten them."""
    held: dict[tuple[str, str], list[Consent]] = {}
    for consent in Consent.objects.filter(identifier__customer=customer).order_by("pk"):
        held.setdefault((consent.channel, consent.topic), []).append(consent)
    if not held:
        return
    said: dict[tuple[str, str], list[_Said]] = {}
    for change in ConsentChange.objects.filter(identifier__customer=customer).order_by("recorded_at", "pk"):
        said.setdefault((change.channel, change.topic), []).append(
            _Said(change.identifier_id, change.recorded_at, _answer(change))
        )
    bonds = [
        _Bond(*row)
        for row in IdentityEdge.objects.filter(left__customer=customer).values_list("left", "right", "created_at")
    ]
    for purpose, consents in held.items():
        own = said.get(purpose, [])
        if not {_answer(consent) for consent in consents} <= {one.answer for one in own}:
            _write(consents, _replayed(own, bonds))


def _answer(row: Consent | ConsentChange) -> Answer:
    return Answer(row.is_granted, row.source, row.wording, row.occurred_at)


def _replayed(said: Iterable[_Said], bonds: Collection[_Bond]) -> dict[int, Answer]:
    """Return {identifier: its answer} after all that was said, as `record_consent` would have written it."""
    answers: dict[int, Answer] = {}
    for one in said:
        answers.setdefault(one.identifier, one.answer)
        for identifier in _tied_to(one.identifier, bonds, by=one.recorded_at + SAME_MOMENT):
            if identifier in answers and answers[identifier].occurred_at <= one.answer.occurred_at:
                answers[identifier] = one.answer
    return answers


def _tied_to(identifier: int, bonds: Collection[_Bond], *, by: datetime) -> set[int]:
    reached, grown = {identifier}, True
    while grown:
        ends = {end for bond in bonds if bond.since <= by and reached & {bond.left, bond.right} for end in bond[:2]}
        grown = not ends <= reached
        reached |= ends
    return reached


def _write(consents: Iterable[Consent], answers: dict[int, Answer]) -> None:
    for consent in consents:
        answer = answers.get(consent.identifier_id)
        if answer is not None and answer != _answer(consent):
            Consent.objects.filter(pk=consent.pk).update(**answer._asdict())
        elif answer is None and consent.is_granted:
            consent.delete()  # its own person never said so; a no stays, to be on the safe side
