"""How many calls came to what, for whoever builds the shop's pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum

from signals_app.core.bulk import Merge, write_rows
from signals_app.storefront.constants import Outcome
from signals_app.storefront.models import HourlyCalls, Storefront


def count_call(*, storefront: Storefront, outcome: Outcome, now: datetime) -> None:
    """Add a call to its hour."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    write_rows(
        HourlyCalls,
        fields=("storefront", "hour", "outcome", "count"),
        rows=[(storefront.pk, hour, outcome.value, 1)],
        unique=("storefront", "hour", "outcome"),
        merge={"count": Merge.ADD},
    )


def calls_by_outcome(*, storefront: Storefront, since: datetime, now: datetime) -> dict[Outcome, int]:
    """Return how many calls since a time came to what, in the order of `Outcome`; what did not happen is 0."""
    first = since.replace(minute=0, second=0, microsecond=0)
    counted = HourlyCalls.objects.filter(storefront=storefront, hour__gte=first, hour__lte=now + timedelta(hours=1))
    found = dict(counted.values_list("outcome").annotate(total=Sum("count")).order_by())
    return {outcome: found.get(outcome.value, 0) for outcome in Outcome}
