"""Recording what happened, numbering it without gaps, and reading on from where one stopped."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from django.db import transaction

from signals_app.core.bulk import change_rows
from signals_app.facts.constants import MAX_SUBJECTS, FactKind
from signals_app.facts.models import Fact, FactReader
from signals_app.projects.models import Project

SEQUENCER = "sequencer"


def record(*, project: Project, kind: FactKind, subject_ids: Iterable[str]) -> list[Fact]:
    """
    Record that something happened to these subjects, in the caller's transaction; no subjects, no fact.

    More than 1,000 subjects become several facts.
    """
    subjects = iter(subject_ids)
    chunks = iter(lambda: list(islice(subjects, MAX_SUBJECTS)), [])
    return Fact.objects.bulk_create([Fact(project=project, kind=kind, subject_ids=chunk) for chunk in chunks])


@transaction.atomic
def sequence(*, limit: int = 1_000) -> int:
    """
    Give positions to facts that have none yet and return how many got one.

    One sequencer runs at a time, and it sees only what is committed: a position is given once and none is left out,
    so whoever has read up to N will never find a new fact below it.
    """
    FactReader.objects.get_or_create(name=SEQUENCER)
    counter = FactReader.objects.select_for_update(no_key=True).get(name=SEQUENCER)
    waiting = Fact.objects.filter(position=None).order_by("pk").values_list("pk", flat=True)[:limit]
    numbered = [(pk, position) for position, pk in enumerate(waiting, start=counter.position + 1)]
    if numbered:
        change_rows(Fact, key="id", fields=("position",), rows=numbered)
        counter.position += len(numbered)
        counter.save(update_fields=["position"])
    return len(numbered)


def read_facts(*, reader: str, kinds: Collection[FactKind], limit: int = 100) -> list[Fact]:
    """Return the next facts of these kinds after the place the reader has come to, in order."""
    position = FactReader.objects.filter(name=reader).values_list("position", flat=True).first() or 0
    following = Fact.objects.filter(position__gt=position, kind__in=kinds).select_related("project")
    return list(following.order_by("position")[:limit])


@transaction.atomic
def advance(*, reader: str, position: int) -> None:
    """Remember that the reader is done with everything up to a position; it never goes back."""
    FactReader.objects.get_or_create(name=reader)
    FactReader.objects.filter(name=reader, position__lt=position).update(position=position)
