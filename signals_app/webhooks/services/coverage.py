"""What share of the signals can be told apart by shopper, and reached by mail: read from the hourly counts."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from signals_app.webhooks import mapping
from signals_app.webhooks.models import CoverageCursor, HourlyCoverage, WebhookSource


@dataclass(frozen=True, slots=True)
class CoverageDay:
    """
    Signals of one day in the store's time zone; `identified`, `with_email` and `with_consent` are each part of the one
    before. `carried` has, by kind of ID, the signals that carried one: {"email": 420.0, ...}. All but `signals` are
    estimated where only some were looked into.
    """

    day: date
    signals: int
    identified: int
    with_email: int
    with_consent: int
    carried: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CoverageReport:
    days: list[CoverageDay]
    """The days that had signals, oldest first."""
    first_day: date
    last_day: date
    counted_until: datetime | None
    """None: nothing was counted yet."""

    @property
    def signals(self) -> int:
        return sum(day.signals for day in self.days)

    @property
    def carried(self) -> dict[str, float]:
        """The share, 0 to 1, of all signals that carried each kind of ID: {"email": 0.42, ...}."""
        whole = self.signals
        return {
            kind: sum(day.carried[kind] for day in self.days) / whole if whole else 0.0
            for kind in mapping.IDENTITY_FIELDS
        }

    def share(self, name: str) -> float:
        """Return which share of all signals is `identified`, `with_email` or `with_consent`, 0 to 1."""
        whole = self.signals
        return sum(getattr(day, name) for day in self.days) / whole if whole else 0.0


def coverage(*, source: WebhookSource, days: int = 7, now: datetime) -> CoverageReport:
    """Return the coverage of the last `days` days of the store's calendar, today among them."""
    zone = zoneinfo.ZoneInfo(source.project.time_zone)
    last_day = now.astimezone(zone).date()
    first_day = last_day - timedelta(days=days - 1)
    # A day may begin up to 14 hours before UTC's; where zones differ by half hours, an hour counts to where it begins.
    start = datetime(first_day.year, first_day.month, first_day.day, tzinfo=zone)
    hours: dict[date, list[HourlyCoverage]] = {}
    for row in HourlyCoverage.objects.filter(source=source, hour__gte=start, hour__lte=now).order_by("hour"):
        hours.setdefault(row.hour.astimezone(zone).date(), []).append(row)
    cursor = CoverageCursor.objects.filter(source=source).first()
    return CoverageReport(
        days=[_day(day, rows) for day, rows in hours.items() if any(row.signals for row in rows)],
        first_day=first_day,
        last_day=last_day,
        counted_until=cursor.received_at if cursor else None,
    )


def _day(day: date, rows: list[HourlyCoverage]) -> CoverageDay:
    def estimated(name: str) -> float:
        return float(sum(row.signals * getattr(row, name) / row.sampled for row in rows if row.sampled))

    return CoverageDay(
        day=day,
        signals=sum(row.signals for row in rows),
        identified=round(estimated("identified")),
        with_email=round(estimated("with_email")),
        with_consent=round(estimated("with_consent")),
        carried={kind: estimated(kind) for kind in mapping.IDENTITY_FIELDS},
    )
