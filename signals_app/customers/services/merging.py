"""What a person decides about two profiles: they are one person's, or they are not."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from signals_app.customers.constants import KINDS_BY_STRENGTH, ConflictState, Evidence
from signals_app.customers.exceptions import ProfileIsGone, SameProfile
from signals_app.customers.joining import Pointer
from signals_app.customers.models import Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.customers.services import joined
from signals_app.customers.services.locks import lock_customers, lock_owners
from signals_app.customers.services.owners import owners_of
from signals_app.customers.services.profile_copies import refresh_copies
from signals_app.facts import services as fact_services
from signals_app.facts.constants import FactKind


@transaction.atomic
def merge(*, customer: Customer, other: Customer, by: str, now: datetime) -> Customer:
    """
    Make one person of two profiles of a store, on a person's word, and return the one that keeps its id.

    Also two known shoppers; what was open or kept apart between them is settled. The known one keeps its id, of two the
    older. What hangs on their IDs comes along; where their consents disagree, the no counts. `undo_link` of the new
    link takes it back.

    :raises ProfileIsGone: if one of them was joined to another, or erased, meanwhile.
    :raises SameProfile: if both are one already.
    """
    if customer.pk == other.pk:
        raise SameProfile
    locked = lock_customers([customer.pk, other.pk])
    if len(locked) < 2 or customer.project_id != other.project_id:
        raise ProfileIsGone
    keep, gone = sorted(locked.values(), key=lambda one: (not (one.email or one.external_id), one.pk))
    project = keep.project
    _settle(keep, gone, by, now)
    left, right = sorted((_anchor(keep.pk), _anchor(gone.pk)))
    IdentityEdge.objects.bulk_create(
        [
            IdentityEdge(
                project=project,
                left_id=left,
                right_id=right,
                evidence=Evidence.PERSON,
                reference=by[:100],
                is_news=False,
            )
        ],
        ignore_conflicts=True,
    )
    pointers = [Pointer(*pointer) for pointer in owners_of(locked).items()]
    endings = {gone.pk: keep.pk}
    joined.move_pointers(endings)
    joined.take_over(endings, locked)
    refresh_copies({keep.pk: keep}, now=now)
    joined.end_customers(project, joined.ended(endings, pointers), locked, now)
    fact_services.record(project=project, kind=FactKind.PROFILE_CHANGED, subject_ids=[str(keep.pk)])
    return keep


@transaction.atomic
def keep_apart(*, conflict: IdentityConflict, by: str, now: datetime) -> bool:
    """
    Settle a possible duplicate: two people. Return whether it was still open.

    From then on no machine joins the two profiles, whatever it sees.
    """
    # Under their locks, so that whoever is joining them at this moment is done before, or sees the decision.
    lock_owners([conflict.left_id, conflict.right_id])
    rows = IdentityConflict.objects.filter(pk=conflict.pk, state=ConflictState.OPEN)
    return bool(rows.update(state=ConflictState.KEPT_APART, decided_by=by[:150], decided_at=now))


def conflicts_between(left: uuid.UUID, right: uuid.UUID) -> QuerySet[IdentityConflict]:
    """Return what was ever asked or decided about IDs of two customers."""
    return IdentityConflict.objects.filter(
        Q(left__customer=left, right__customer=right) | Q(left__customer=right, right__customer=left)
    )


def _settle(keep: Customer, gone: Customer, by: str, now: datetime) -> None:
    conflicts_between(keep.pk, gone.pk).update(state=ConflictState.MERGED, decided_by=by[:150], decided_at=now)


def _anchor(customer_id: uuid.UUID) -> int:
    """Return the ID that stands for a profile: its strongest, of several the oldest."""
    rows = Identifier.objects.filter(customer=customer_id).values_list("kind", "pk")
    found = min(((KINDS_BY_STRENGTH.index(kind), pk) for kind, pk in rows), default=None)
    if found is None:
        raise ProfileIsGone
    return found[1]
