from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.db import transaction

from signals_app.core import bulk
from signals_app.customers.exceptions import IdentityKeepsMoving
from signals_app.customers.models import Customer, Identifier

MAX_ROUNDS = 20
"""How often we look again when other transactions change the same identifiers meanwhile."""


def lock_customers(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    """
    Lock customers until the transaction ends and return those that exist, by id.

    Always in the order of their ids, so that two transactions never wait for one another. The lock leaves the key
    alone (`FOR NO KEY UPDATE`): a plain one would make every insert that points at the customer wait. SQLite has no
    row locks and needs none: its transactions write one at a time.
    """
    wanted = sorted(set(ids))
    locked = Customer.objects.select_for_update(no_key=True).filter(id__any_of=wanted).order_by("id")
    return {customer.id: customer for customer in bulk.read_models(locked)} if wanted else {}


def lock_owners(identifiers: Collection[int]) -> dict[int, Customer]:
    """
    Lock the customers of these identifiers and return them by identifier; who is being erased is left out.

    For a transaction that holds no other customer yet: one that resolves identifiers too has `resolve_fully` hold them.

    :raises IdentityKeepsMoving: if other transactions kept moving them.
    """
    for _ in range(MAX_ROUNDS):
        with transaction.atomic():  # a savepoint, so that looking again lets go of the locks taken
            before = customers_of(identifiers)
            locked = lock_customers(before.values())
            if (owners := still_owners(before, customers_of(identifiers), locked)) is not None:
                return owners
            transaction.set_rollback(True)
    raise IdentityKeepsMoving(f"{len(identifiers)} identifiers were joined to others each time we looked.")


def customers_of(identifiers: Collection[int]) -> dict[int, uuid.UUID]:
    """Return whose identifiers are, {identifier: customer}."""
    if not identifiers:
        return {}
    rows = Identifier.objects.filter(pk__any_of=identifiers).values_list("pk", "customer_id")
    return dict(bulk.read_rows(rows))


def still_owners(
    before: Mapping[int, uuid.UUID], now: Mapping[int, uuid.UUID], locked: Mapping[uuid.UUID, Customer]
) -> dict[int, Customer] | None:
    """Return the locked owners by identifier; None if one has gone, since we looked, to somebody who is not locked."""
    if any(pk not in locked and pk != before[identifier] for identifier, pk in now.items()):
        return None
    return {identifier: locked[pk] for identifier, pk in now.items() if pk in locked}
