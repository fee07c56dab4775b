"""
Profiles of buying intent when customers are joined or parted.

Note [Folding little by little]

Parting folds both sides anew from their stored signals. A long history must not be one transaction: on SQLite nobody else
writes meanwhile. So the profile begins empty and is folded from the signals that were stored up to that moment
(`refold_before`), slice by slice, and each slice moves the place in the same transaction: whatever is killed, nothing is
folded twice or left out. Signals that come meanwhile are folded as ever; adding is commutative. The moment is the
database's, taken under the customer's lock, and a signal is stored under that lock too: what was stored before carries an
earlier time, what comes later a later one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from signals_app.core.clock import Now
from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.shopper_signals import folding
from signals_app.shopper_signals.folding import IntentState
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.shopper_signals.services import baselines, pages, profiles
from signals_app.shopper_signals.services.interest_rows import InterestGathering, merge_interests
from signals_app.shopper_signals.services.profiles import Standing

FOLDED_AT_ONCE = {"sqlite": 100}
FOLDED_AT_ONCE_ELSEWHERE = 2_000
"""Signals of one slice: as many as fit into a transaction that others can wait for."""


def merge_profiles(*, keep: Customer, gone: Sequence[Customer], now: datetime) -> None:
    """
    Give a customer what was folded for others that end; all of them are locked, the identifiers have moved already.

    The same numbers as if all signals had been this customer's from the start.
    """
    stored = IntentProfile.objects.in_bulk([keep.pk, *(customer.pk for customer in gone)])
    if not stored:
        return
    leaving = [stored[customer.pk] for customer in gone if customer.pk in stored]
    half_lives = {profile.half_life_hours for profile in stored.values()}
    if len(half_lives) > 1 or any(profile.refold_before for profile in stored.values()):
        IntentProfile.objects.filter(pk__in=[profile.pk for profile in leaving]).delete()
        Interest.objects.filter(customer__in=gone).delete()
        fold_anew(customer=keep, now=now)
        return
    kept = stored.get(keep.pk)
    state = profiles.state_of(kept) if kept else IntentState(half_lives.pop())
    for profile in leaving:
        folding.merge(state, profiles.state_of(profile))
    IntentProfile.objects.filter(pk__in=[profile.pk for profile in leaving]).delete()
    merge_interests(keep=keep.pk, gone=[customer.pk for customer in gone])
    before = {keep.pk: Standing(kept.intent_score, kept.stage)} if kept else {}
    _save(keep, state, before, now)


def split_profiles(*, parts: Sequence[Customer], now: datetime) -> None:
    """Fold anew what was one customer and is several now; all of them are locked, the identifiers have moved already."""
    for customer in parts:
        fold_anew(customer=customer, now=now)


def fold_anew(*, customer: Customer, now: datetime) -> bool:
    """
    Make a (locked) customer's profile and interests anew from the stored signals, and return whether that is all.

    A long history is left to `continue_folding` (Note [Folding little by little]).
    """
    Interest.objects.filter(customer=customer).delete()
    IntentProfile.objects.filter(customer=customer).delete()
    signals = list(_signals_of(customer).order_by()[: _at_once() + 1])
    if not signals:
        return True
    is_short = len(signals) <= _at_once()
    state = IntentState(customer.project.intent_half_life_hours)
    _fold(customer, state, signals if is_short else [])
    _save(customer, state, {}, now)
    if not is_short:
        # Read under the lock, and after all that was stored under it before.
        moment = Customer.objects.annotate(moment=Now()).values_list("moment", flat=True).get(pk=customer.pk)
        IntentProfile.objects.filter(customer=customer).update(refold_before=moment)
    return is_short


def continue_folding(*, now: datetime, limit: int = 20) -> int:
    """Fold the next slice of profiles that are being made anew, and return how many profiles went on."""
    waiting = IntentProfile.objects.filter(refold_before__isnull=False).select_related("customer__project")
    return sum(_fold_slice(profile, now) for profile in waiting.order_by("pk")[:limit])


def _fold_slice(profile: IntentProfile, now: datetime) -> bool:
    # Stored signals do not change: they are read before the transaction, which is then short.
    signals = _signals_of(profile.customer).filter(recorded_at__lte=profile.refold_before)
    if profile.refold_after_at is not None:
        at, pk = profile.refold_after_at, profile.refold_after_id
        signals = signals.filter(Q(received_at__gt=at) | Q(received_at=at, id__gt=pk))
    chunk = list(signals.order_by("received_at", "id")[: _at_once()])
    with transaction.atomic():
        customers = customer_services.lock_customers([profile.customer_id])
        # Begun anew, joined, or done by another worker meanwhile: what was read is of no use.
        mine = IntentProfile.objects.filter(
            pk=profile.pk,
            refold_before=profile.refold_before,
            refold_after_at=profile.refold_after_at,
            refold_after_id=profile.refold_after_id,
        )
        if not customers or not mine.exists():
            return False
        if len(chunk) < _at_once():
            mine.update(refold_before=None, refold_after_at=None, refold_after_id=None)
        else:
            mine.update(refold_after_at=chunk[-1].received_at, refold_after_id=chunk[-1].pk)
        states, before = profiles.load_states(project=profile.customer.project, customer_ids=[profile.pk])
        _fold(profile.customer, states[profile.pk], chunk)
        _save(profile.customer, states[profile.pk], before, now)
    return True


def _signals_of(customer: Customer) -> QuerySet[ShopperSignal]:
    return ShopperSignal.objects.filter(identifier__customer=customer)


def _fold(customer: Customer, state: IntentState, signals: Sequence[ShopperSignal]) -> None:
    """Add signals to a state, which the caller saves, and to the stored interests."""
    read = pages.read_pages(project=customer.project, events={signal.pk: signal.relevant_events for signal in signals})
    folding.fold(state, [pages.facts_of(signal, read[signal.pk]) for signal in signals])
    gathering = InterestGathering()
    for signal in signals:
        gathering.add(
            customer.pk,
            read[signal.pk].weights,
            signal_id=signal.pk,
            received_at=signal.received_at,
            half_life_hours=state.half_life_hours,
        )
    gathering.save()


def _save(customer: Customer, state: IntentState, before: Mapping[uuid.UUID, Standing], now: datetime) -> None:
    usual = baselines.usual_of(baselines.recent_baseline(project=customer.project, now=now))
    profiles.save_states(project=customer.project, states={customer.pk: state}, before=before, usual=usual, now=now)


def _at_once() -> int:
    return FOLDED_AT_ONCE.get(connection.vendor, FOLDED_AT_ONCE_ELSEWHERE)
