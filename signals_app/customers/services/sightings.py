"""What was seen: identifiers together, what they said, and what of that can be used."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from signals_app.customers.constants import KINDS_BY_STRENGTH, KNOWN_KINDS, Evidence
from signals_app.customers.exceptions import InvalidIdentifier
from signals_app.customers.identifiers import normalise
from signals_app.customers.joining import JoinPlan, Key, Seen
from signals_app.customers.models import Customer
from signals_app.customers.services import tombstones
from signals_app.customers.services.profile_copies import agreed
from signals_app.projects.models import Project

SEEN_NOW = frozenset({Evidence.SIGNAL, Evidence.IDENTIFY})
"""Evidence that the shopper is in the shop now; an order or an import may tell of last year."""


class Sighting(NamedTuple):
    """Identifiers seen together; `reference` is the caller's own name for what showed them, e.g. a delivery id."""

    reference: str
    identifiers: dict[str, str]
    evidence: str = Evidence.SIGNAL
    seen_at: datetime | None = None
    """When that was, if it may have been long ago, as in a replay; None: now."""
    attributes: Mapping[str, Any] = {}
    """What is said of its strongest identifier: stored with it where that is new, else the caller's to store."""
    marketing_consent: bool | None = None
    """What the caller is about to store, so that a customer who is new is written once; who is not is left alone."""


def usable(project: Project, sightings: Sequence[Sighting]) -> list[Seen]:
    """Return what can be used of sightings; those of which nothing can are left out."""
    cleaned: list[tuple[Sighting, tuple[Key, ...]]] = []
    for sighting in sightings:
        keys = []
        for kind in KINDS_BY_STRENGTH:
            if sighting.identifiers.get(kind):
                try:
                    keys.append(Key(kind, normalise(kind, sighting.identifiers[kind])))
                except InvalidIdentifier:
                    continue  # the room that received it normalises first and keeps the problem beside the row
        cleaned.append((sighting, tuple(keys)))
    erased = tombstones.erased_among(project=project, keys={key for _, keys in cleaned for key in keys})
    left = [(sighting, _without_erased(keys, erased)) for sighting, keys in cleaned]
    return [Seen(sighting.reference, keys, sighting.evidence, sighting.seen_at) for sighting, keys in left if keys]


def _without_erased(keys: tuple[Key, ...], erased: Collection[Key]) -> tuple[Key, ...]:
    """
    Return what may be resolved of identifiers seen together, strongest first.

    What names an erased person is about that person, whatever browser it came from: nothing of it. An erased browser or
    visit may since be somebody else's, who is named beside it; what is weaker than it says no more than it did.
    """
    gone = [key for key in keys if key in erased]
    if not gone:
        return keys
    return () if any(key.kind in KNOWN_KINDS for key in gone) else keys[: keys.index(gone[0])]


def attributes_of(
    seen: Sequence[Seen], said: Mapping[str, Sighting], missing: Collection[Key]
) -> dict[Key, dict[str, Any]]:
    """Return what is said of identifiers that are not there yet; of what is said twice, the last."""
    new, attributes = set(missing), dict[Key, dict[str, Any]]()
    for one in seen:
        if (news := said[one.reference].attributes) and one.keys[0] in new:
            attributes.setdefault(one.keys[0], {}).update(news)
    return attributes


def note_seen(
    plan: JoinPlan, seen: Sequence[Seen], customers: Mapping[uuid.UUID, Customer], now: datetime
) -> dict[uuid.UUID, Customer]:
    """
    Set when each of these customers was here last, without saving it, and return whom that changes.

    A replayed signal of last week was here last week.
    """
    changed = {}
    for one in seen:
        if one.evidence not in SEEN_NOW:
            continue
        customer = customers.get(plan.customer_of[one.keys[0]])
        moment = one.seen_at or now
        if customer is not None and (customer.last_seen_at is None or customer.last_seen_at < moment):
            customer.last_seen_at = moment
            changed[customer.pk] = customer
    return changed


def note_consents(
    plan: JoinPlan, seen: Sequence[Seen], said: Mapping[str, Sighting], customers: Mapping[uuid.UUID, Customer]
) -> None:
    """Set the marketing consents of customers that begin, without saving them."""
    for one in seen:
        answer = said[one.reference].marketing_consent
        if answer is not None and (customer := customers.get(plan.customer_of[one.keys[0]])) is not None:
            customer.marketing_consent = agreed((customer.marketing_consent, answer))
