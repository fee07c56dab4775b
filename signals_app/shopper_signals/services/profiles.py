"""Profiles of buying intent: loading, scoring, storing, folding anew."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from django.db import connection, transaction

from signals_app.core import bulk
from signals_app.core.bulk import Merge
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.shopper_signals import scoring
from signals_app.shopper_signals.folding import STATE_FIELDS, IntentState
from signals_app.shopper_signals.models import IntentProfile, Interest
from signals_app.shopper_signals.scoring import Assessment, Contribution, Usual
from signals_app.shopper_signals.services import baselines, refolding
from signals_app.shopper_signals.services.refolding import Refolded

logger = logging.getLogger(__name__)

RELATIVE_FIELDS = ("loops_ratio", "dead_clicks_over_usual", "performance_percentile")
USUAL_FIELDS = ("usual_loops", "usual_broken_buttons", "usual_performance")
DERIVED_FIELDS = (
    *("intent_score", "stage"),
    *RELATIVE_FIELDS,
    *USUAL_FIELDS,
    *("last_ordered_at", "scored_at", "review_at"),
)
_relative = attrgetter(*RELATIVE_FIELDS)
_values = attrgetter(*STATE_FIELDS)
ORDERS_READER = "shopper_signals.orders"
REFRESHED_AT_ONCE = 50
"""Profiles that one transaction scores again."""
POSTPONED = timedelta(hours=1)
"""Until a profile that could not be scored is looked at again."""


class Standing(NamedTuple):
    """How a stored profile stands, for telling whether it changes."""

    score: float
    stage: str


def load_states(
    *, project: Project, customer_ids: Collection[uuid.UUID]
) -> tuple[dict[uuid.UUID, IntentState], dict[uuid.UUID, Standing]]:
    """
    Return the state of each customer, an empty one for who has none yet, and how those stand that have one.

    The customers have to be locked.
    """
    states: dict[uuid.UUID, IntentState] = {}
    standings: dict[uuid.UUID, Standing] = {}
    stored = IntentProfile.objects.filter(customer__any_of=customer_ids)
    columns = ("customer_id", "intent_score", "stage", *STATE_FIELDS)
    for customer_id, score, stage, *state in bulk.read_rows(stored.values_list(*columns)):
        states[customer_id] = IntentState(*state)
        standings[customer_id] = Standing(score, stage)
    for customer_id in customer_ids:
        if customer_id not in states:
            states[customer_id] = IntentState(project.intent_half_life_hours)
    return states, standings


def state_of(profile: IntentProfile) -> IntentState:
    return IntentState(**{name: getattr(profile, name) for name in STATE_FIELDS})


def contributions_of(profile: IntentProfile) -> list[Contribution]:
    """Return what the score of a stored profile is made of, in words; the points add up to it."""
    if profile.scored_at is None:
        return []
    usual = Usual(profile.usual_loops, profile.usual_broken_buttons, profile.usual_performance)
    return scoring.explain(state_of(profile), usual=usual, now=profile.scored_at)


def save_states(
    *,
    project: Project,
    states: Mapping[uuid.UUID, IntentState],
    before: Mapping[uuid.UUID, Standing],
    usual: Usual,
    now: datetime,
) -> dict[uuid.UUID, Assessment]:
    """Score states, store both in one statement, and note who changed. The customers have to be locked."""
    if not states:
        return {}
    last_orders = customer_services.last_order_at(list(states))
    usual_values = (usual.loops, usual.broken_buttons, usual.performance)
    assessments: dict[uuid.UUID, Assessment] = {}
    rows = []
    for customer_id, state in states.items():
        ordered = last_orders.get(customer_id)
        assessed = scoring.assess(state, usual=usual, last_ordered_at=ordered, now=now)
        derived = (assessed.score, assessed.stage.value, *_relative(assessed), *usual_values)
        rows.append((customer_id, project.pk, *_values(state), *derived, ordered, now, assessed.review_at))
        assessments[customer_id] = assessed
    bulk.write_rows(
        IntentProfile,
        fields=("customer", "project", *STATE_FIELDS, *DERIVED_FIELDS),
        rows=rows,
        unique=("customer",),
        merge=dict.fromkeys((*STATE_FIELDS, *DERIVED_FIELDS), Merge.REPLACE),
    )
    _record_changes(project, before, assessments)
    return assessments


def refresh_due_profiles(*, now: datetime, limit: int = 500) -> int:
    """Score profiles again whose `review_at` has come, and return how many."""
    due = IntentProfile.objects.filter(review_at__lte=now).order_by("review_at").select_related("project")
    by_project: dict[Project, list[uuid.UUID]] = {}
    for profile in due.only("customer_id", "project")[:limit]:
        by_project.setdefault(profile.project, []).append(profile.customer_id)
    return sum(_refresh_or_postpone(project=project, customer_ids=ids, now=now) for project, ids in by_project.items())


def follow_orders(*, now: datetime, limit: int = 100) -> int:
    """
    Score the profiles again whose customers' orders were recorded since the last call, and return how many facts said so.

    A profile is scored from what is stored of all its orders, so neither order nor repetition of the facts matters.
    """
    kinds = [FactKind.ORDER_RECORDED]
    return fact_services.follow(reader=ORDERS_READER, kinds=kinds, handle=_score_who_ordered, now=now, limit=limit)


def _score_who_ordered(fact: Fact, order_ids: list[str], now: datetime) -> None:
    ordered = Order.objects.filter(pk__in=order_ids, project=fact.project)
    customer_ids = set(ordered.values_list("identifier__customer_id", flat=True))
    _refresh(project=fact.project, customer_ids=customer_ids, now=now)


@transaction.atomic
def refold(*, customer: Customer, now: datetime) -> Assessment | None:
    """
    Fold everything stored about a customer anew, with the store's half-life, and return what it means now.

    For when the half-life, the catalogue or who belongs to the customer has changed; otherwise it arrives at the
    numbers that stand there already. None if the customer has no signals (any more).
    """
    customer_services.lock_customers([customer.pk])
    project = customer.project
    owner_of = dict.fromkeys(Identifier.objects.filter(customer=customer).values_list("pk", flat=True), customer.pk)
    refolded = refolding.fold_stored(project=project, owner_of=owner_of)
    usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
    stored = replace_profiles(project=project, customer_ids=[customer.pk], refolded=refolded, usual=usual, now=now)
    return stored.get(customer.pk)


def replace_profiles(
    *, project: Project, customer_ids: Collection[uuid.UUID], refolded: Refolded, usual: Usual, now: datetime
) -> dict[uuid.UUID, Assessment]:
    """Put what was folded anew in place of what stands there; the customers have to be locked."""
    Interest.objects.filter(customer_id__any_of=customer_ids).delete()
    IntentProfile.objects.filter(
        customer_id__any_of=[each for each in customer_ids if each not in refolded.states]
    ).delete()
    # All of it is folded: nothing is left to go on with (`merging`, Note [Folding little by little]).
    IntentProfile.objects.filter(customer_id__any_of=customer_ids).update(
        refold_before=None, refold_after_at=None, refold_after_id=None
    )
    refolded.gathering.save()
    _, before = load_states(project=project, customer_ids=list(refolded.states))
    return save_states(project=project, states=refolded.states, before=before, usual=usual, now=now)


def _refresh_or_postpone(*, project: Project, customer_ids: list[uuid.UUID], now: datetime) -> int:
    """Score profiles again; one for whom that fails holds up no other, and comes again after a while."""
    try:
        return _refresh(project=project, customer_ids=customer_ids, now=now)
    except Exception:
        if not connection.is_usable():
            raise
        if len(customer_ids) == 1:
            logger.exception("A profile could not be scored again.", extra={"customer_id": str(customer_ids[0])})
            IntentProfile.objects.filter(customer_id=customer_ids[0]).update(review_at=now + POSTPONED)
            return 0
    return sum(_refresh_or_postpone(project=project, customer_ids=[one], now=now) for one in customer_ids)


def _refresh(*, project: Project, customer_ids: Iterable[uuid.UUID], now: datetime) -> int:
    """Score profiles again in several short transactions: on SQLite each keeps all other writers waiting."""
    waiting = iter(sorted(customer_ids))
    count = 0
    while chunk := list(islice(waiting, REFRESHED_AT_ONCE)):
        count += _refresh_at_once(project=project, customer_ids=chunk, now=now)
    return count


@transaction.atomic
def _refresh_at_once(*, project: Project, customer_ids: Collection[uuid.UUID], now: datetime) -> int:
    locked = customer_services.lock_customers(customer_ids)
    states, before = load_states(project=project, customer_ids=locked)
    known = {customer_id: states[customer_id] for customer_id in before}
    usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
    save_states(project=project, states=known, before=before, usual=usual, now=now)
    return len(known)


def _record_changes(
    project: Project, before: Mapping[uuid.UUID, Standing], after: Mapping[uuid.UUID, Assessment]
) -> None:
    changed = []
    for customer_id, assessed in after.items():
        stood = before.get(customer_id, Standing(0.0, ""))
        if stood.stage != assessed.stage or abs(stood.score - assessed.score) >= scoring.NOTICEABLE_POINTS:
            changed.append(str(customer_id))
    fact_services.record(project=project, kind=FactKind.PROFILE_CHANGED, subject_ids=changed)
