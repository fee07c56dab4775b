"""Interests of shoppers as rows, folded in bulk."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from signals_app.catalog import matching
from signals_app.catalog import services as catalog_services
from signals_app.core import bulk
from signals_app.core.bulk import HowToMerge, Merge, OfLater
from signals_app.customers.models import Customer
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.interests import MOST_WEIGHT
from signals_app.shopper_signals.models import IntentProfile, Interest

NO_ID = uuid.UUID(int=0)
FADED = 1 / 1024
"""A weight below this (one view, ten half-lives ago) is no interest any more."""

MERGE: dict[str, HowToMerge] = {
    "weight_log2": Merge.ADD_LOG2,
    "evidence_count": Merge.ADD,
    "last_seen_at": Merge.LARGER,
    "last_signal_id": OfLater("last_seen_at"),
}

RowKey = tuple[uuid.UUID, str, str]
"""(customer id, kind, name)"""


@dataclass(slots=True)
class Gathered:
    """What signals add to one interest; adding is commutative."""

    level: float | None = None
    count: int = 0
    last_seen_at: datetime | None = None
    last_signal_id: uuid.UUID | None = None

    def add(self, *, level: float | None, count: int, seen_at: datetime, signal_id: uuid.UUID | None) -> None:
        self.level = decay.add(self.level, level)
        self.count += count
        if self.last_seen_at is None or (seen_at, signal_id or NO_ID) > (
            self.last_seen_at,
            self.last_signal_id or NO_ID,
        ):
            self.last_seen_at, self.last_signal_id = seen_at, signal_id


@dataclass(frozen=True, slots=True)
class InterestNow:
    """An interest as strong as it is now. `weight` is the decayed number of views; `label` is for people."""

    name: str
    kind: str
    weight: float
    label: str
    evidence_count: int = 0
    last_seen_at: datetime | None = None
    last_signal_id: uuid.UUID | None = None


class InterestGathering:
    """Interests that a batch of signals adds to."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, Gathered] = {}

    def add(
        self,
        customer_id: uuid.UUID,
        weights: Mapping[tuple[str, str], float],
        *,
        signal_id: uuid.UUID,
        received_at: datetime,
        half_life_hours: int,
    ) -> None:
        """Add what one signal says of its shopper's interests: {(kind, name): weight}."""
        age = decay.hours(received_at) / half_life_hours
        for (kind, name), weight in weights.items():
            gathered = self.rows.setdefault((customer_id, kind, name), Gathered())
            level = decay.log2_of(weight, age, most=MOST_WEIGHT)
            gathered.add(level=level, count=1, seen_at=received_at, signal_id=signal_id)

    def save(self) -> None:
        """Add everything to the stored rows, in one statement."""
        rows = (
            (customer_id, kind, name, gathered.level, gathered.count, gathered.last_seen_at, gathered.last_signal_id)
            for (customer_id, kind, name), gathered in self.rows.items()
            if gathered.level is not None
        )
        bulk.write_rows(
            Interest,
            fields=("customer", "kind", "name", *MERGE),
            rows=rows,
            unique=("customer", "kind", "name"),
            merge=MERGE,
        )


def top_interests(*, customer: Customer, now: datetime, limit: int) -> list[InterestNow]:
    """Return what the shopper cares for most at `now`, strongest first; what has faded away is left out."""
    age = decay.hours(now) / half_life_of(customer)
    strongest = list(Interest.objects.filter(customer=customer).order_by("-weight_log2", "kind", "name")[:limit])
    strongest = [interest for interest in strongest if decay.value(interest.weight_log2, age) >= FADED]
    keys = [interest.name for interest in strongest if interest.kind == InterestKind.PRODUCT]
    products = catalog_services.products_by_key(project=customer.project, keys=keys) if keys else {}
    return [
        InterestNow(
            name=interest.name,
            kind=interest.kind,
            weight=decay.value(interest.weight_log2, age),
            label=products[interest.name].title if interest.name in products else label_of(interest),
            evidence_count=interest.evidence_count,
            last_seen_at=interest.last_seen_at,
            last_signal_id=interest.last_signal_id,
        )
        for interest in strongest
    ]


def half_life_of(customer: Customer) -> int:
    """Return the half-life of a customer's interests in hours: the one that they were folded with."""
    stored = IntentProfile.objects.filter(customer=customer).values_list("half_life_hours", flat=True)
    return stored.first() or customer.project.intent_half_life_hours


def merge_interests(*, keep: uuid.UUID, gone: Iterable[uuid.UUID]) -> None:
    """Add the interests of customers that end to those of the one that stays."""
    gathering = InterestGathering()
    leaving = Interest.objects.filter(customer_id__in=list(gone))
    for row in leaving:
        gathered = gathering.rows.setdefault((keep, row.kind, row.name), Gathered())
        gathered.add(
            level=row.weight_log2, count=row.evidence_count, seen_at=row.last_seen_at, signal_id=row.last_signal_id
        )
    leaving.delete()
    gathering.save()


def label_of(interest: Interest) -> str:
    """Return what a person calls an interest that no product of the catalogue names."""
    if interest.kind == InterestKind.SEARCH:
        return f"“{interest.name}”"
    is_handle = matching.handle_of(interest.name) == interest.name
    if interest.kind == InterestKind.BRAND or (interest.kind == InterestKind.CATEGORY and not is_handle):
        return interest.name
    return matching.words_of(interest.name)
