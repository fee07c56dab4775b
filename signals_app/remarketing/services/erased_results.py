"""What an erased person leaves in the results of automations: numbers, and of nobody."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from signals_app.core.bulk import Merge, write_rows
from signals_app.customers.models import Customer
from signals_app.remarketing import results
from signals_app.remarketing.models import ErasedResult, RuleMatch

NUMBERS = ("sent", "skipped", "shoppers", "ordered")
Place = tuple[UUID, date, str]


@transaction.atomic
def count_shopper(*, customer: Customer) -> int:
    """
    Add a person to the numbers of shoppers, once for each automation and arm that counts them; return how many.

    It counts on the day of their latest match, so that a period that holds it holds them, as it did before.
    """
    matches = RuleMatch.objects.filter(results.MAILED | results.HELD_BACK, identifier__customer=customer)
    latest: dict[tuple[UUID, str], date] = {}
    ordered: set[tuple[UUID, str]] = set()
    found = results.with_orders(matches).values_list("rule_id", "arm", "created_at", "has_ordered")
    for rule_id, arm, created_at, has_ordered in found.order_by("created_at"):
        latest[rule_id, arm] = created_at.astimezone(UTC).date()
        ordered |= {(rule_id, arm)} if has_ordered else set()
    _add(
        {
            (rule, day, arm): Counter(shoppers=1, ordered=int((rule, arm) in ordered))
            for (rule, arm), day in latest.items()
        }
    )
    return len(latest)


@transaction.atomic
def delete_matches(matches: QuerySet[RuleMatch]) -> int:
    """Delete recipient activity, and keep how much of it was sent and skipped, by day; return how many rows."""
    is_sent = Case(When(results.SENT, then=Value(True)), default=Value(False), output_field=BooleanField())
    added: dict[Place, Counter[str]] = defaultdict(Counter)
    rows = matches.filter(~Q(results.ON_ITS_WAY)).annotate(is_sent=is_sent)
    for rule_id, arm, created_at, sent in rows.values_list("rule_id", "arm", "created_at", "is_sent").order_by():
        added[rule_id, created_at.astimezone(UTC).date(), arm]["sent" if sent else "skipped"] += 1
    _add(added)
    return matches.delete()[1].get("remarketing.RuleMatch", 0)


def _add(added: dict[Place, Counter[str]]) -> None:
    write_rows(
        ErasedResult,
        fields=("rule", "day", "arm", *NUMBERS),
        rows=((*place, *(numbers[name] for name in NUMBERS)) for place, numbers in sorted(added.items())),
        unique=("rule", "day", "arm"),
        merge=dict.fromkeys(NUMBERS, Merge.ADD),
    )
