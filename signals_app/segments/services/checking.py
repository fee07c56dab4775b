"""A tree while a person edits it: what it says, what is wrong with it, whom it keeps, and what the fields look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from signals_app.core.time_limit import TookTooLong, time_limit
from signals_app.projects.models import Project
from signals_app.segments import conditions, fields
from signals_app.segments.conditions import InvalidCondition
from signals_app.segments.distributions import Distribution, distribution
from signals_app.segments.fields import Field, Scope
from signals_app.segments.services.audiences import AudienceSample, count_and_sample, profile_values
from signals_app.segments.services.sampling import Sample, sample_of

MOST_SHARES = 20
"""So many conditions have their share told; nobody reads more numbers."""

FIELD_SECONDS = 0.5


@dataclass(frozen=True)
class CheckedTree:
    """
    What a tree says and whom it holds for; `audience` is None for a tree with problems or not about profiles.

    `shares` is {path of a condition: share of the profiles for which it holds}, from a sample.
    """

    sentence: str
    problems: Sequence[InvalidCondition]
    audience: AudienceSample | None
    shares: Mapping[str, float]


def check_tree(*, project: Project, tree: Any, scope: Scope, now: datetime) -> CheckedTree:
    """
    Read a tree as it is being edited; whatever it is, that takes a few seconds at worst.

    :raises TookTooLong: if a database with its hands full could not count in that time.
    """
    catalogue, zone = fields.fields(scope), ZoneInfo(project.time_zone)
    problems = conditions.problems(tree, catalogue)
    sentence = conditions.sentence(conditions.parse(tree, catalogue, zone=zone)) if tree and not problems else ""
    if scope is not Scope.PROFILE:
        return CheckedTree(sentence, problems, None, {})
    found = list(conditions.readable_leaves(tree, catalogue, zone=zone))
    values = _sampled_values(project, {leaf.field.name for _, leaf in found}, now)
    total = max(1, len(values))
    shares = {
        path: sum(conditions.holds(leaf, known, now=now) for known in values.values()) / total
        for path, leaf in (found[:MOST_SHARES] if values else ())
    }
    audience = None if problems else count_and_sample(project=project, tree=tree, now=now, sampled=values)
    return CheckedTree(sentence, problems, audience, shares)


def field_distribution(*, project: Project, field: Field, now: datetime) -> tuple[Distribution, Sample]:
    """
    Return what a sample of the store's profiles say of a profile field, and the sample.

    :raises TookTooLong: if the values cannot be read in `FIELD_SECONDS`.
    """
    sample = sample_of(project=project)
    with time_limit(FIELD_SECONDS):
        values = profile_values(customer_ids=sample.ids, names=[field.name], now=now)
    return distribution(field, [values[pk][field.name] for pk in sample.ids if pk in values], now=now), sample


def _sampled_values(project: Project, names: set[str], now: datetime) -> dict[UUID, dict[str, Any]]:
    """Return the values of a sample of profiles; nothing when reading them takes too long."""
    if not names:
        return {}
    sample = sample_of(project=project)
    try:
        with time_limit(FIELD_SECONDS):
            return profile_values(customer_ids=sample.ids, names=names, now=now)
    except TookTooLong:
        return {}
