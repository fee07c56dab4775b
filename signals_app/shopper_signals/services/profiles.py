"""Profiles of buying intent: loading, scoring, storing, folding anew."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Order
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.projects.models import Project
from signals_app.shopper_signals import folding, scoring
from signals_app.shopper_signals.folding import STATE_FIELDS, IntentState
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.shopper_signals.scoring import Assessment, Usual
from signals_app.shopper_signals.services import baselines, pages
from signals_app.shopper_signals.services.interest_rows import InterestGathering, merge_interests

DERIVED_FIELDS = ("intent_score", "stage", "contributions", "last_ordered_at", "scored_at", "review_at")
ORDERS_READER = "shopper_signals.orders"
FOLDED_AT_ONCE = 500
"""Stored signals that are folded with one look into the catalogue."""


def load_states(*, project: Project, customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, IntentState]:
    """Return the state of each customer, an empty one for who has none yet. The customers have to be locked."""
    found = IntentProfile.objects.filter(customer_id__in=customer_ids)
    states = {profile.customer_id: state_of(profile) for profile in found}
    for customer_id in customer_ids:
        states.setdefault(customer_id, IntentState(project.intent_half_life_hours))
    return states


def state_of(profile: IntentProfile) -> IntentState:
    return IntentState(**{name: getattr(profile, name) for name in STATE_FIELDS})


def save_states(
    *, project: Project, states: Mapping[uuid.UUID, IntentState], usual: Usual, now: datetime
) -> dict[uuid.UUID, Assessment]:
    """Score states, store both in one statement a batch, and note who changed. The customers have to be locked."""
    last_orders = customer_services.last_order_at(list(states))
    before = dict(_score_and_stage(states))
    assessments: dict[uuid.UUID, Assessment] = {}
    rows = []
    for customer_id in sorted(states):
        state, last_ordered_at = states[customer_id], last_orders.get(customer_id)
        assessed = scoring.assess(state, usual=usual, last_ordered_at=last_ordered_at, now=now)
        assessments[customer_id] = assessed
        rows.append(_row(project, customer_id, state, assessed, usual, last_ordered_at, now))
    IntentProfile.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["customer"],
        update_fields=[*STATE_FIELDS, *DERIVED_FIELDS],
    )
    _record_changes(project, before, assessments)
    return assessments


def refresh_due_profiles(*, now: datetime, limit: int = 500) -> int:
    """Score profiles again whose `review_at` has come, and return how many."""
    due = IntentProfile.objects.filter(review_at__lte=now).order_by("review_at").select_related("project")
    by_project: dict[Project, list[uuid.UUID]] = {}
    for profile in due.only("customer_id", "project")[:limit]:
        by_project.setdefault(profile.project, []).append(profile.customer_id)
    return sum(_refresh(project=project, customer_ids=ids, now=now) for project, ids in by_project.items())


def follow_orders(*, now: datetime, limit: int = 100) -> int:
    """Score the profiles again whose customers' orders were recorded since the last call, and return how many."""
    facts = fact_services.read_facts(reader=ORDERS_READER, kinds=[FactKind.ORDER_RECORDED], limit=limit)
    count = 0
    for fact in facts:
        ordered = Order.objects.filter(pk__in=fact.subject_ids, project=fact.project)
        customer_ids = set(ordered.values_list("identifier__customer_id", flat=True))
        count += _refresh(project=fact.project, customer_ids=customer_ids, now=now)
        fact_services.advance(reader=ORDERS_READER, position=fact.position or 0)
    return count


@transaction.atomic
def refold(*, customer: Customer, now: datetime) -> Assessment | None:
    """
    Fold everything stored about a customer anew, with the store's half-life, and return what it means now.

    For when the half-life, the catalogue or who belongs to the customer has changed; otherwise it arrives at the
    numbers that stand there already. None if the customer has no signals (any more).
    """
    customer_services.lock_customers([customer.pk])
    project = customer.project
    state = IntentState(project.intent_half_life_hours)
    gathering = InterestGathering()
    signals = ShopperSignal.objects.filter(identifier__customer=customer).order_by("received_at", "id")
    for chunk in _chunks(signals.iterator(chunk_size=FOLDED_AT_ONCE), FOLDED_AT_ONCE):
        read = pages.read_pages(project=project, events={signal.pk: signal.relevant_events for signal in chunk})
        folding.fold(state, [pages.facts_of(signal, read[signal.pk]) for signal in chunk])
        for signal in chunk:
            gathering.add(
                customer.pk,
                read[signal.pk].weights,
                received_at=signal.received_at,
                half_life_hours=state.half_life_hours,
            )
    Interest.objects.filter(customer=customer).delete()
    if not state.signal_count:
        IntentProfile.objects.filter(customer=customer).delete()
        return None
    gathering.save()
    usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
    return save_states(project=project, states={customer.pk: state}, usual=usual, now=now)[customer.pk]


def refold_outdated(*, now: datetime, limit: int = 50) -> int:
    """Fold profiles anew whose store has chosen another half-life since, and return how many."""
    count = 0
    for project in Project.objects.all():
        outdated = (
            IntentProfile.objects.filter(project=project)
            .exclude(half_life_hours=project.intent_half_life_hours)
            .select_related("customer__project")
        )
        for profile in outdated[: limit - count]:
            refold(customer=profile.customer, now=now)
            count += 1
    return count


def merge_profiles(*, keep: Customer, gone: Sequence[Customer], now: datetime) -> None:
    """
    Give a customer what was folded for others that end; all of them are locked, the identifiers have moved already.

    The same numbers as if all signals had been this customer's from the start.
    """
    profiles = IntentProfile.objects.in_bulk([keep.pk, *(customer.pk for customer in gone)])
    if not profiles:
        return
    leaving = [profiles[customer.pk] for customer in gone if customer.pk in profiles]
    half_lives = {profile.half_life_hours for profile in profiles.values()}
    if len(half_lives) > 1:
        IntentProfile.objects.filter(pk__in=[profile.pk for profile in leaving]).delete()
        Interest.objects.filter(customer__in=gone).delete()
        refold(customer=keep, now=now)
        return
    state = state_of(profiles[keep.pk]) if keep.pk in profiles else IntentState(half_lives.pop())
    for profile in leaving:
        folding.merge(state, state_of(profile))
    IntentProfile.objects.filter(pk__in=[profile.pk for profile in leaving]).delete()
    merge_interests(keep=keep.pk, gone=[customer.pk for customer in gone])
    usual = baselines.usual_of(baselines.recent_baseline(project=keep.project, now=now))
    save_states(project=keep.project, states={keep.pk: state}, usual=usual, now=now)


@transaction.atomic
def _refresh(*, project: Project, customer_ids: Collection[uuid.UUID], now: datetime) -> int:
    locked = customer_services.lock_customers(customer_ids)
    profiles = IntentProfile.objects.filter(customer_id__in=list(locked))
    states = {profile.customer_id: state_of(profile) for profile in profiles}
    if states:
        usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
        save_states(project=project, states=states, usual=usual, now=now)
    return len(states)


def _row(
    project: Project,
    customer_id: uuid.UUID,
    state: IntentState,
    assessed: Assessment,
    usual: Usual,
    last_ordered_at: datetime | None,
    now: datetime,
) -> IntentProfile:
    return IntentProfile(
        customer_id=customer_id,
        project=project,
        **{name: getattr(state, name) for name in STATE_FIELDS},
        intent_score=assessed.score,
        stage=assessed.stage,
        contributions=[
            {"name": part.name, "points": part.points, "detail": part.detail} for part in assessed.contributions
        ],
        last_ordered_at=last_ordered_at,
        scored_at=now,
        review_at=scoring.review_at(state, usual=usual, last_ordered_at=last_ordered_at, now=now, assessed=assessed),
    )


def _score_and_stage(customer_ids: Iterable[uuid.UUID]) -> Iterable[tuple[uuid.UUID, tuple[float, str]]]:
    stored = IntentProfile.objects.filter(customer_id__in=list(customer_ids))
    return ((pk, (score, stage)) for pk, score, stage in stored.values_list("customer_id", "intent_score", "stage"))


def _record_changes(
    project: Project, before: Mapping[uuid.UUID, tuple[float, str]], after: Mapping[uuid.UUID, Assessment]
) -> None:
    changed = []
    for customer_id, assessed in after.items():
        score, stage = before.get(customer_id, (0.0, ""))
        if stage != assessed.stage or abs(score - assessed.score) >= scoring.NOTICEABLE_POINTS:
            changed.append(str(customer_id))
    fact_services.record(project=project, kind=FactKind.PROFILE_CHANGED, subject_ids=changed)


def _chunks(signals: Iterable[ShopperSignal], size: int) -> Iterable[list[ShopperSignal]]:
    chunk: list[ShopperSignal] = []
    for signal in signals:
        chunk.append(signal)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
