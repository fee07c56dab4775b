"""
Gathering what was predicted and what happened, for calibration: week by week, in slices, never for a page.

A sample is one signal a shopper and day (UTC), drawn by a hash of its id among those that carry a drop_proba. All of a
visit's signals say nearly the same and share one outcome: counted one by one they would make the intervals far too
narrow, and who clicks most would count most. Drawn, not the last: the last of a buyer comes after the order.

Only who got no mail in the window before and after counts, since a mail changes what it predicts; so the control group
counts, and with it whoever had no reason for a mail. Whoever ordered in the day before is left out: not to order twice
was never predicted.

Of a large store a part of the shoppers is taken, drawn by a hash of their id, so that a week costs the same at ten
million signals. What was scored at the time is not stored; the score is folded again from the signals up to the sample.
What is usual in the shop is as it is now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum

from signals_app.core import claims
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.customers.services.orders import UNDONE_STATES
from signals_app.emails.constants import COUNTED_STATES, MessagePurpose
from signals_app.emails.models import EmailMessage
from signals_app.projects.models import Project
from signals_app.remarketing.constants import CalibrationState
from signals_app.remarketing.models import Calibration
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.calibration import Reliability
from signals_app.shopper_signals.models import ShopBaseline, ShopperSignal
from signals_app.shopper_signals.services import ScoredSignal

WEEKS = 26
GRACE = timedelta(days=1)
"""Orders are reported late."""
SIGNALS_A_WEEK = 100_000
"""Of a store with more, a part of the shoppers is looked at."""
MOST_SIGNALS = 2_000
"""Whoever has more in the time looked at is no person."""
HALF_LIVES_READ = 10
SHOPPERS_AT_ONCE = 50
IDS_AT_ONCE = 5_000
LEASE = timedelta(minutes=5)


@dataclass(slots=True)
class Gathered:
    """What some shoppers of a week add to it."""

    shoppers: int = 0
    left_out_mailed: int = 0
    left_out_ordered: int = 0
    exits: Reliability = field(default_factory=Reliability)
    intents: Reliability = field(default_factory=Reliability)


def plan_calibration(*, now: datetime) -> int:
    """Note the weeks that can be gathered by now: over, with the window behind them, and with signals."""
    return sum(_plan(project, now) for project in Project.objects.order_by("pk"))


def gather_calibration(*, now: datetime) -> bool:
    """Gather the next shoppers of the newest week that is not done; False if there is nothing to do."""
    waiting = Calibration.objects.filter(state=CalibrationState.GATHERING)
    # A week that fails again and again is tried again and again, but behind the others.
    claim = claims.claim(waiting.order_by("attempts", "-week", "pk"), now=now, lease=LEASE, limit=1)
    if not claim.pks:
        return False
    row = Calibration.objects.select_related("project").get(pk=claim.pks[0])
    last_id, drawn = _next_shoppers(row)
    gathered = Gathered()
    for customer_id in drawn:
        _gather(row, customer_id, gathered, now)
    _note(row, last_id, gathered, now)
    return True


def is_drawn(customer_id: UUID, *, one_in: int) -> bool:
    """Say whether a shopper is among those looked at; always the same ones."""
    return one_in <= 1 or _draw(customer_id) % one_in == 0


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _plan(project: Project, now: datetime) -> int:
    window = timedelta(days=settings.CALIBRATION_WINDOW_DAYS)
    first_open = week_of((now.astimezone(UTC) - window - GRACE).date())
    oldest = first_open - timedelta(weeks=WEEKS)
    known = set(
        Calibration.objects.filter(
            project=project, window_days=settings.CALIBRATION_WINDOW_DAYS, week__gte=oldest
        ).values_list("week", flat=True)
    )
    signals: dict[date, int] = {}
    days = ShopBaseline.objects.filter(project=project, day__gte=oldest, day__lt=first_open)
    for day, count in days.values_list("day").annotate(Sum("signal_count")).order_by():
        signals[week_of(day)] = signals.get(week_of(day), 0) + count
    planned = 0
    for week in sorted(set(signals) - known):
        try:
            with transaction.atomic():
                Calibration.objects.create(
                    project=project,
                    week=week,
                    window_days=settings.CALIBRATION_WINDOW_DAYS,
                    one_in=max(1, -(-signals[week] // SIGNALS_A_WEEK)),
                )
        except IntegrityError:  # another worker has just planned it
            continue
        planned += 1
    return planned


def _next_shoppers(row: Calibration) -> tuple[UUID | None, list[UUID]]:
    """
    Return the next drawn shoppers who were here in the week or later, and the last one looked at: None at the end.

    What is read does not depend on how few of them are wanted: their store may have been full of others for years.
    """
    customers = Customer.objects.filter(project=row.project).order_by("pk")
    if row.last_customer_id is not None:
        customers = customers.filter(pk__gt=row.last_customer_id)
    begin, last_id, drawn = _begin(row.week), None, []
    for customer_id, last_seen_at in customers.values_list("pk", "last_seen_at")[:IDS_AT_ONCE]:
        last_id = customer_id
        if last_seen_at is not None and last_seen_at >= begin and is_drawn(customer_id, one_in=row.one_in):
            drawn.append(customer_id)
            if len(drawn) == SHOPPERS_AT_ONCE:
                break
    return last_id, drawn


def _gather(row: Calibration, customer_id: UUID, gathered: Gathered, now: datetime) -> None:
    begin, end = _begin(row.week), _begin(row.week) + timedelta(weeks=1)
    half_life = timedelta(hours=row.project.intent_half_life_hours)
    identifiers = list(Identifier.objects.filter(customer_id=customer_id).values_list("pk", flat=True))
    stored = ShopperSignal.objects.filter(
        identifier_id__any_of=identifiers, received_at__gte=begin - HALF_LIVES_READ * half_life, received_at__lt=end
    )
    signals = list(stored.order_by("received_at", "id")[: MOST_SIGNALS + 1])
    if len(signals) > MOST_SIGNALS:
        return
    drawn = _drawn_a_day([one for one in signals if one.received_at >= begin and one.drop_proba is not None])
    if not drawn:
        return
    gathered.shoppers += 1
    scored = signal_services.score_as_of(project=row.project, signals=signals, wanted=drawn, now=now)
    window = timedelta(days=row.window_days)
    orders = _times_of_orders(identifiers, begin - GRACE, end + window)
    mails = _times_of_mails(identifiers, begin - window, end + window)
    for one in scored:
        _note_sample(one, orders, mails, window, gathered)


def _note_sample(
    one: ScoredSignal, orders: Iterable[datetime], mails: Iterable[datetime], window: timedelta, gathered: Gathered
) -> None:
    at = one.signal.received_at
    if any(at - timedelta(days=1) < order <= at for order in orders):
        gathered.left_out_ordered += 1
    elif any(at - window <= mail <= at + window for mail in mails):
        gathered.left_out_mailed += 1
    else:
        has_ordered = any(at < order <= at + window for order in orders)
        gathered.exits.note(predicted=one.signal.drop_proba or 0.0, happened=not has_ordered)
        gathered.intents.note(predicted=one.score / 100, happened=has_ordered)


def _drawn_a_day(signals: Sequence[ShopperSignal]) -> set[UUID]:
    """Return one signal of each day."""
    drawn: dict[date, UUID] = {}
    for signal in signals:
        day = signal.received_at.astimezone(UTC).date()
        if day not in drawn or _draw(signal.pk) < _draw(drawn[day]):
            drawn[day] = signal.pk
    return set(drawn.values())


def _times_of_orders(identifiers: list[int], since: datetime, until: datetime) -> list[datetime]:
    orders = Order.objects.filter(identifier_id__any_of=identifiers, placed_at__gt=since, placed_at__lte=until)
    return list(orders.exclude(state__in=UNDONE_STATES).values_list("placed_at", flat=True))


def _times_of_mails(identifiers: list[int], since: datetime, until: datetime) -> list[datetime]:
    mails = EmailMessage.objects.filter(
        identifier_id__any_of=identifiers, state__in=COUNTED_STATES, sending_at__gte=since, sending_at__lte=until
    )
    found = mails.exclude(purpose=MessagePurpose.TEST).values_list("sending_at", flat=True)
    return [moment for moment in found if moment is not None]


def _note(row: Calibration, last_id: UUID | None, gathered: Gathered, now: datetime) -> None:
    """Add what was gathered; whoever else did the same shoppers meanwhile finds that the row has moved on."""
    changes: dict[str, object] = {"attempts": 0, "lease_token": None, "lease_until": None}
    if last_id is not None:
        exits, intents = Reliability.from_rows(row.exit_bins), Reliability.from_rows(row.intent_bins)
        exits.add(gathered.exits)
        intents.add(gathered.intents)
        changes |= {
            "last_customer_id": last_id,
            "shopper_count": row.shopper_count + gathered.shoppers,
            "left_out_mailed": row.left_out_mailed + gathered.left_out_mailed,
            "left_out_ordered": row.left_out_ordered + gathered.left_out_ordered,
            "exit_bins": exits.as_rows(),
            "intent_bins": intents.as_rows(),
        }
    else:
        changes |= {"state": CalibrationState.DONE, "finished_at": now}
    Calibration.objects.filter(
        pk=row.pk, state=CalibrationState.GATHERING, last_customer_id=row.last_customer_id
    ).update(**changes)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _draw(key: UUID) -> int:
    return int.from_bytes(hashlib.sha256(key.bytes).digest()[:8])
