"""
Folding all profiles of a store anew from its stored signals, beside the signals that come in.

Note [Folded without a lock]

A shopper may have a hundred thousand signals, and a lock held for as long as these are read would keep the pipeline
waiting, on SQLite everybody. So a slice of shoppers is folded without any lock. Then, under their locks, it is asked
whether their known IDs and their number of signals are still those from before; both change only under that lock. Whose
are, has the new profile stored; the others are folded once more, and after some rounds under the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q

from signals_app.catalog import services as catalog_services
from signals_app.core import claims
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer, Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals.constants import RecomputePhase, RecomputeState
from signals_app.shopper_signals.models import IntentProfile, RecomputeRun
from signals_app.shopper_signals.services import baselines, profiles, refolding

SETTLE = timedelta(seconds=10)
"""Every process reads a store's patterns again within a second, and a batch of signals is over within this time."""
LEASE = timedelta(minutes=5)
PROFILES_AT_ONCE = {"sqlite": 20}
"""SQLite has one writer at a time, and webhook requests wait behind it: a transaction stays below 50 ms."""
PROFILES_AT_ONCE_ELSEWHERE = 100
PRODUCTS_AT_ONCE = 500
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice did; `last_id` is None when nothing was left."""

    last_id: uuid.UUID | None
    profiles: int = 0
    signals: int = 0
    products: int = 0


def start_recompute(*, project: Project, started_by: str, now: datetime) -> tuple[RecomputeRun, bool]:
    """
    Start folding a store's profiles anew, and say whether it was started: one that runs already begins again instead.

    It does so from the first profile on, since what it has done was done with what was true before.
    """
    defaults = {
        "phase": RecomputePhase.PRODUCTS,
        "expected": Customer.objects.filter(project=project).count(),
        "profiles_done": 0,
        "signals_read": 0,
        "products_changed": 0,
        "last_id": None,
        "started_by": started_by[:150],
        "started_at": now,
        "due_at": now + SETTLE,
        "attempts": 0,
        "lease_token": None,
        "lease_until": None,
    }
    return RecomputeRun.objects.update_or_create(project=project, state=RecomputeState.RUNNING, defaults=defaults)


def stop_recompute(*, run: RecomputeRun, now: datetime) -> bool:
    """End a run before its end; the profiles that it has done stay as they are now."""
    running = RecomputeRun.objects.filter(pk=run.pk, state=RecomputeState.RUNNING)
    return running.update(state=RecomputeState.STOPPED, finished_at=now, lease_token=None, lease_until=None) == 1


def continue_recompute(*, now: datetime, run: RecomputeRun | None = None) -> bool:
    """Do the next slice of a run, or of the oldest that runs; False if there is nothing to do."""
    due = RecomputeRun.objects.filter(state=RecomputeState.RUNNING, due_at__lte=now)
    if run is not None:
        due = due.filter(pk=run.pk)
    # One that fails again and again is tried again and again, but behind those of other stores.
    claim = claims.claim(due.order_by("attempts", "started_at", "pk"), now=now, lease=LEASE, limit=1)
    if not claim.pks:
        return False
    held = RecomputeRun.objects.select_related("project").get(pk=claim.pks[0])
    done = _next_slice(held, now)
    _note(held, done, now)
    return True


def refold_customers(*, project: Project, customer_ids: Collection[uuid.UUID], now: datetime) -> Slice:
    """Fold customers anew from their stored signals (Note [Folded without a lock])."""
    waiting, count, signals = set(customer_ids), 0, 0
    for _ in range(ROUNDS):
        before = _standing(waiting)
        owner_of = {pk: customer_id for customer_id, (_, pks) in before.items() for pk in pks}
        refolded = refolding.fold_stored(project=project, owner_of=owner_of)
        signals += refolded.signals_read
        usual = baselines.usual_of(baselines.recent_baseline(project=project, now=now))
        with transaction.atomic():
            locked = customer_services.lock_customers(waiting)
            after = _standing(locked)
            same = [customer_id for customer_id in locked if after[customer_id] == before.get(customer_id)]
            stored = profiles.replace_profiles(
                project=project, customer_ids=same, refolded=refolded.only(same), usual=usual, now=now
            )
        count += len(stored)
        waiting = set(locked).difference(same)
        if not waiting:
            break
    for customer in Customer.objects.filter(pk__in=waiting).select_related("project").order_by("pk"):
        count += profiles.refold(customer=customer, now=now) is not None
    return Slice(last_id=max(customer_ids, default=None), profiles=count, signals=signals)


def refold_outdated(*, now: datetime) -> int:
    """Fold the next profiles anew whose store has chosen another half-life since, and return how many."""
    for project in Project.objects.order_by("pk"):
        chosen = project.intent_half_life_hours
        # Two ranges of an index; "not equal" would read the whole of it, time and again.
        others = Q(half_life_hours__lt=chosen) | Q(half_life_hours__gt=chosen)
        outdated = IntentProfile.objects.filter(others, project=project, customer__erased_at=None)
        if ids := list(outdated.values_list("customer_id", flat=True)[: _profiles_at_once()]):
            return refold_customers(project=project, customer_ids=ids, now=now).profiles
    return 0


def _standing(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, frozenset[int]]]:
    """Return each customer's number of folded signals and known IDs: what tells whether anything came."""
    counts = dict(
        IntentProfile.objects.filter(customer_id__any_of=list(customer_ids)).values_list("customer_id", "signal_count")
    )
    known: dict[uuid.UUID, set[int]] = {customer_id: set() for customer_id in customer_ids}
    owned = Identifier.objects.filter(customer_id__any_of=list(customer_ids)).values_list("customer_id", "pk")
    for customer_id, pk in owned:
        known[customer_id].add(pk)
    return {customer_id: (counts.get(customer_id, 0), frozenset(pks)) for customer_id, pks in known.items()}


def _next_slice(run: RecomputeRun, now: datetime) -> Slice:
    if run.phase == RecomputePhase.PRODUCTS:
        last, changed = catalog_services.rekey_products(project=run.project, after=run.last_id, limit=PRODUCTS_AT_ONCE)
        return Slice(last_id=last, products=changed)
    customers = Customer.objects.filter(project=run.project).order_by("pk")
    if run.last_id is not None:
        customers = customers.filter(pk__gt=run.last_id)
    ids = list(customers.values_list("pk", flat=True)[: _profiles_at_once()])
    if not ids:
        return Slice(last_id=None)
    done = refold_customers(project=run.project, customer_ids=ids, now=now)
    return Slice(last_id=ids[-1], profiles=len(ids), signals=done.signals)


def _profiles_at_once() -> int:
    return PROFILES_AT_ONCE.get(connection.vendor, PROFILES_AT_ONCE_ELSEWHERE)


def _note(run: RecomputeRun, done: Slice, now: datetime) -> None:
    """Move a run on; whoever else did the same slice meanwhile finds that it has moved and changes nothing."""
    changes: dict[str, object] = {"attempts": 0, "lease_token": None, "lease_until": None}
    if done.last_id is not None:
        changes |= {
            "last_id": done.last_id,
            "profiles_done": F("profiles_done") + done.profiles,
            "signals_read": F("signals_read") + done.signals,
            "products_changed": F("products_changed") + done.products,
        }
    elif run.phase == RecomputePhase.PRODUCTS:
        changes |= {"phase": RecomputePhase.PROFILES, "last_id": None}
    else:
        changes |= {"state": RecomputeState.DONE, "finished_at": now}
    at_its_place = RecomputeRun.objects.filter(
        pk=run.pk, state=RecomputeState.RUNNING, started_at=run.started_at, phase=run.phase, last_id=run.last_id
    )
    at_its_place.update(**changes)
