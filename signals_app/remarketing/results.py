"""What an automation did: how often each reason applied, and how many ordered afterwards, mailed or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from signals_app.customers.constants import OrderState
from signals_app.customers.models import Order
from signals_app.emails.constants import COUNTED_STATES, MessageState
from signals_app.remarketing.constants import Arm, MatchState, Reason
from signals_app.remarketing.models import ErasedResult, RemarketingRule, RuleCounter, RuleMatch

ORDER_WINDOW = timedelta(days=7)
"""An order counts for a shopper when it was placed within this time after the decision."""

IN_PROGRESS = (MessageState.QUEUED, MessageState.RETRY)
SENT = Q(state=MatchState.QUEUED, message__state__in=COUNTED_STATES)
MAILED = SENT & Q(arm=Arm.TREATMENT)
HELD_BACK = Q(arm=Arm.HOLDOUT, reason=Reason.SKIPPED_HOLDOUT)
ON_ITS_WAY = Q(state=MatchState.PLANNED) | Q(state=MatchState.QUEUED, message__state__in=IN_PROGRESS)


@dataclass(frozen=True)
class Activity:
    """How many shoppers' matches wait, were mailed, and came to nothing."""

    waiting: int = 0
    sent: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class ReasonCount:
    reason: str
    label: str
    count: int


@dataclass(frozen=True)
class ArmResult:
    """One side of the comparison: distinct shoppers decided on, and how many of them ordered within 7 days."""

    label: str
    shoppers: int
    ordered: int

    @property
    def percent(self) -> float | None:
        return 100 * self.ordered / self.shoppers if self.shoppers else None


@dataclass(frozen=True)
class Results:
    days: int
    activity: Activity
    reasons: list[ReasonCount]
    mailed: ArmResult
    held_back: ArmResult

    @property
    def arms(self) -> list[ArmResult]:
        return [self.mailed, self.held_back]


def recent_activity(*, rules: Collection[UUID], since: datetime) -> dict[UUID, Activity]:
    """Return {rule id: counts of matches made since `since`}; one query for all the rules."""
    found = (
        RuleMatch.objects.filter(rule__in=rules, created_at__gte=since)
        .values("rule")
        .annotate(waiting=Count("pk", filter=ON_ITS_WAY), sent=Count("pk", filter=SENT), all=Count("pk"))
    )
    living = {
        row["rule"]: Activity(row["waiting"], row["sent"], row["all"] - row["waiting"] - row["sent"])
        for row in found.order_by()
    }
    erased = {row["rule"]: row for row in _of_the_erased(rules, since).order_by()}
    nothing, none = Activity(), {"sent": 0, "skipped": 0}
    return {
        rule: Activity(
            waiting=living.get(rule, nothing).waiting,
            sent=living.get(rule, nothing).sent + erased.get(rule, none)["sent"],
            skipped=living.get(rule, nothing).skipped + erased.get(rule, none)["skipped"],
        )
        for rule in living.keys() | erased.keys()
    }


def _of_the_erased(rules: Collection[UUID], since: datetime) -> QuerySet[ErasedResult, dict[str, Any]]:
    """Return what people who were erased have added since, by rule; a day counts whole."""
    rows = ErasedResult.objects.filter(rule__in=rules, day__gte=since.date()).values("rule")
    return rows.annotate(sent=Sum("sent"), skipped=Sum("skipped"))


def results(*, rule: RemarketingRule, days: int, now: datetime) -> Results:
    """Return what the automation did in the last `days` days."""
    since = now - timedelta(days=days)
    matches = RuleMatch.objects.filter(rule=rule, created_at__gte=since, created_at__lte=now)
    return Results(
        days=days,
        activity=recent_activity(rules=[rule.pk], since=since).get(rule.pk, Activity()),
        reasons=_reasons(rule, since),
        mailed=_with_erased(_arm("Got the mail", matches.filter(MAILED)), rule, Arm.TREATMENT, since),
        held_back=_with_erased(_arm("Control group", matches.filter(HELD_BACK)), rule, Arm.HOLDOUT, since),
    )


def _with_erased(result: ArmResult, rule: RemarketingRule, arm: Arm, since: datetime) -> ArmResult:
    added = ErasedResult.objects.filter(rule=rule, arm=arm, day__gte=since.date()).aggregate(
        shoppers=Sum("shoppers", default=0), ordered=Sum("ordered", default=0)
    )
    return ArmResult(result.label, result.shoppers + added["shoppers"], result.ordered + added["ordered"])


def _reasons(rule: RemarketingRule, since: datetime) -> list[ReasonCount]:
    counted = RuleCounter.objects.filter(rule=rule, hour__gte=since).values("reason").annotate(total=Sum("count"))
    labels = dict(Reason.choices)
    found = [ReasonCount(row["reason"], labels.get(row["reason"], row["reason"]), row["total"]) for row in counted]
    return sorted(found, key=lambda entry: (-entry.count, entry.label))


def _arm(label: str, matches: QuerySet[RuleMatch]) -> ArmResult:
    """Count shoppers, not matches: of those with several, an order after any counts. Who was in both groups is left out."""
    counted: dict[str, Any] = with_orders(matches).aggregate(
        shoppers=Count("identifier__customer", distinct=True),
        ordered=Count("identifier__customer", distinct=True, filter=Q(has_ordered=True)),
    )
    return ArmResult(label, counted["shoppers"], counted["ordered"])


def with_orders(matches: QuerySet[RuleMatch]) -> QuerySet[Any, Any]:
    """Return the matches that results count, and for each whether its shopper `has_ordered` in time."""
    decided_at = Coalesce(F("message__sending_at"), F("decided_at"), F("created_at"))
    matches = matches.filter(identifier__customer__has_mixed_arms=False).annotate(from_at=decided_at)
    orders = Order.objects.filter(
        identifier__customer=OuterRef("identifier__customer"),
        state=OrderState.PLACED,
        placed_at__gt=OuterRef("from_at"),
        placed_at__lte=OuterRef("from_at") + ORDER_WINDOW,
    )
    return matches.annotate(has_ordered=Exists(orders))
