from __future__ import annotations

import uuid
from collections.abc import Iterable

from signals_app.core import bulk
from signals_app.customers.models import Customer


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
