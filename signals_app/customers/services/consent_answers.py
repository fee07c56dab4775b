"""The answers behind consents, for `record_consent` and for an import of many; whoever writes them holds the customers."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from signals_app.core.bulk import Merge, look_up, write_rows
from signals_app.customers.constants import Channel, Topic
from signals_app.customers.models import Consent, ConsentChange, Customer
from signals_app.customers.services.owners import owners_of
from signals_app.customers.services.profile_copies import agreed, note_copies

Purpose = tuple[str, str]
"""(channel, topic)"""
MARKETING: Purpose = (Channel.EMAIL.value, Topic.MARKETING.value)


class Answer(NamedTuple):
    """What was said about one purpose; the columns of the same names of `Consent` and `ConsentChange`."""

    is_granted: bool
    source: str
    wording: str
    occurred_at: datetime


Answers = dict[int, Answer]
"""What holds, by identifier."""

AnswersOfCustomers = defaultdict[tuple[uuid.UUID, Purpose], Answers]


class Said(NamedTuple):
    """One thing said, as the history keeps it; also the moment is compared, so that a repeated list is recognised."""

    identifier_id: int
    purpose: Purpose
    answer: Answer


def answers_of(customer_ids: Collection[uuid.UUID]) -> AnswersOfCustomers:
    """Return what holds of these (locked) customers, found by keys alone, however little the database knows of them."""
    owners = owners_of(customer_ids)
    answers: AnswersOfCustomers = defaultdict(dict)
    for one in _read(Consent, owners):
        answers[owners[one.identifier_id], one.purpose][one.identifier_id] = one.answer
    return answers


def history_of(identifiers: Collection[int]) -> set[Said]:
    """Return all that was ever said of these identifiers."""
    return set(_read(ConsentChange, identifiers))


def apply(answers: Answers, identifier: int, answer: Answer) -> list[int]:
    """Let an answer hold wherever nothing later was said, and return on which identifiers it does now."""
    holding = [pk for pk, before in answers.items() if before.occurred_at <= answer.occurred_at]
    if identifier not in answers:
        holding.append(identifier)
    answers.update(dict.fromkeys(holding, answer))
    return holding


def write_history(said: Iterable[Said], *, evidence: str = "", now: datetime) -> None:
    """Add to the history; `evidence`: see `ConsentChange.evidence`."""
    write_rows(
        ConsentChange,
        fields=("identifier", "channel", "topic", *Answer._fields, "evidence", "recorded_at"),
        rows=((one.identifier_id, *one.purpose, *one.answer, evidence, now) for one in said),
    )


def write_answers(holding: Mapping[tuple[int, Purpose], Answer]) -> None:
    """Make answers hold, by identifier and purpose."""
    write_rows(
        Consent,
        fields=("identifier", "channel", "topic", *Answer._fields),
        rows=((pk, *purpose, *holding[pk, purpose]) for pk, purpose in sorted(holding)),
        unique=("identifier", "channel", "topic"),
        merge=dict.fromkeys(Answer._fields, Merge.REPLACE),
    )


def note_marketing(customers: Mapping[uuid.UUID, Customer], answers: AnswersOfCustomers, *, now: datetime) -> None:
    """Copy what holds about marketing to customers, given all their answers. Note [Copies], in `profile_copies`."""
    values = {
        customer_id: agreed([answer.is_granted for answer in held.values()])
        for (customer_id, purpose), held in answers.items()
        if purpose == MARKETING and held and customer_id in customers
    }
    note_copies("marketing_consent", values, customers, now=now)


def _read(model: type[Consent] | type[ConsentChange], identifiers: Collection[int]) -> list[Said]:
    rows: list[tuple[Any, ...]] = look_up(
        model,
        where={},
        key="identifier",
        values=identifiers,
        fields=("identifier", "channel", "topic", *Answer._fields),
        is_unique=False,
    )
    return [Said(pk, (channel, topic), Answer(*answer)) for pk, channel, topic, *answer in rows]
