"""A store in which shoppers are seen, and a look at everything that follows from it: for comparing two stores."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from signals_app.customers import services
from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Consent, Customer, Identifier, IdentityConflict, IdentityEdge, Order
from signals_app.customers.services import Sighting
from signals_app.projects import services as project_services
from signals_app.projects.models import Project
from signals_app.shopper_signals import scoring
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.folding import STATE_FIELDS
from signals_app.shopper_signals.models import IntentProfile, Interest
from signals_app.shopper_signals.scoring import Assessment
from signals_app.shopper_signals.services import NewSignal, baselines, profiles

Name = tuple[str, str]
"""(kind, value)"""


@dataclass
class World:
    """One store; identifiers are named by (kind, value), and times are told by the caller."""

    start: datetime
    project: Project = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        slug = f"world-{uuid.uuid4().hex[:10]}"
        self.project = project_services.create_project(slug=slug, name="Shop", shop_url="https://shop.example/")

    @classmethod
    def of(cls, project: Project, start: datetime) -> World:
        """Return the world of a store that is there already."""
        world = cls.__new__(cls)
        world.start, world.number, world.project = start, 0, project
        return world

    @property
    def now(self) -> datetime:
        return self.start + timedelta(minutes=self.number)

    def tick(self) -> datetime:
        self.number += 1
        return self.now

    def signal(self, identifiers: dict[str, str], *, number: int, page: str) -> None:
        """Let a signal come in, as the pipeline does it."""
        now = self.tick()
        found = services.resolve(project=self.project, sightings=[Sighting("it", identifiers, seen_at=now)], now=now)
        signal = NewSignal(
            # Of two signals of one moment the larger id is the last: the same in every world.
            id=uuid.uuid5(uuid.UUID(int=number), str(self.project.pk)),
            received_at=now,
            identifier=found["it"],
            num_events=number % 7 + 1,
            drop_proba=(number % 10) / 10,
            num_loops=number % 3,
            relevant_events=[{"name": f"https://shop.example/products/{page}"}],
        )
        signal_services.record_signals(project=self.project, signals=[signal], now=now)
        self._set_clock(now)

    def seen(self, name: Name) -> None:
        """Let an identifier be known, with nobody beside it."""
        services.resolve(project=self.project, sightings=[Sighting("it", dict([name]))], now=self.now)
        self._set_clock(self.now)

    def consent(self, name: Name, *, granted: bool) -> None:
        now = self.tick()
        services.record_consent(project=self.project, identifiers=dict([name]), granted=granted, source="form", now=now)
        self._set_clock(now)

    def say(self, name: Name, attributes: dict[str, Any]) -> None:
        now = self.tick()
        services.identify(project=self.project, identifiers=dict([name]), attributes=attributes, now=now)
        self._set_clock(now)

    def _set_clock(self, now: datetime) -> None:
        """Rows have the database's time, which no test can set; here they have the world's."""
        for model in (Identifier, IdentityEdge, IdentityConflict):
            fresh = model.objects.filter(project=self.project, created_at__gt=self.start + timedelta(days=1))
            fresh.update(created_at=now)

    def identifier(self, name: Name) -> Identifier:
        return Identifier.objects.select_related("customer__project").get(
            project=self.project, kind=name[0], value=name[1]
        )

    def edge(self, one: Name, other: Name) -> IdentityEdge | None:
        left, right = sorted((self.identifier(one).pk, self.identifier(other).pk))
        return IdentityEdge.objects.filter(left=left, right=right).first()

    def look(self) -> dict[frozenset[Name], dict[str, Any]]:
        """Return everything about each person, by the names they are known by; what floats is in "levels"."""
        return {
            frozenset(customer.identifiers.values_list("kind", "value")): self._look_at(customer)
            for customer in Customer.objects.filter(project=self.project)
        }

    def _look_at(self, customer: Customer) -> dict[str, Any]:
        profile = IntentProfile.objects.filter(customer=customer).first()
        state = {name: getattr(profile, name) for name in STATE_FIELDS} if profile else {}
        state.pop("last_signal_id", None)
        state.pop("last_drop_id", None)
        interests = Interest.objects.filter(customer=customer)
        levels = {name: value for name, value in state.items() if isinstance(value, float)}
        levels |= {f"{row.kind}:{row.name}": row.weight_log2 for row in interests}
        assessed = self._assess(profile) if profile else None
        if assessed:
            levels["score"] = assessed.score
        # When they were here last without a signal or consent is told by no row, and so cannot come back.
        copies = ("email", "external_id", "name", "attributes", "time_zone", "has_mixed_arms")
        return {
            "copies": {name: getattr(customer, name) for name in copies},
            "state": {name: value for name, value in state.items() if not isinstance(value, float)},
            "stage": assessed and assessed.stage,
            "interests": {(row.kind, row.name): (row.evidence_count, row.last_seen_at) for row in interests},
            "consents": services.consents_of([customer.pk])[customer.pk],
            "levels": levels,
        }

    def _assess(self, profile: IntentProfile) -> Assessment:
        """Return what a profile means at one moment, the same in every world."""
        usual = baselines.usual_of(baselines.recent_baseline(project=self.project, now=self.now))
        return scoring.assess(profiles.state_of(profile), usual=usual, last_ordered_at=None, now=self.now)


def person(number: int) -> dict[str, str]:
    return {IdentifierKind.EXTERNAL_ID.value: str(number), IdentifierKind.EMAIL.value: f"{number}@example.com"}


def assert_true_copies(project: Project) -> None:
    """Compare the copies of all profiles with what the rows say, one profile after the other."""
    for customer in Customer.objects.filter(project=project):
        said = set(
            Consent.objects.filter(identifier__customer=customer, channel="email", topic="marketing").values_list(
                "is_granted", flat=True
            )
        )
        expected = None if not said else said == {True}
        has_ordered = Order.objects.filter(identifier__customer=customer).exclude(state="cancelled").exists()
        assert (customer.marketing_consent, customer.has_ordered) == (expected, has_ordered)
