"""
When a mail may go: the wait after the last signal, send windows, quiet hours, on the shopper's own clock.

Hours are local hours 0-23 of a zone. They are looked up instant by instant, never computed from a local time and an
offset, so an hour that a clock change skips or repeats needs no special case.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ALL_HOURS = frozenset(range(24))
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_MOST_STEPS = 24 * 3
"""Changes of the local hour within any two days, clock changes included, are fewer."""


def zone_of(*names: str) -> ZoneInfo:
    """Return the first of the named zones that exists; without any, UTC."""
    for name in names:
        if name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return ZoneInfo("UTC")


def hours_between(from_hour: int | None, until_hour: int | None) -> frozenset[int]:
    """
    Return the local hours from `from_hour` to before `until_hour`, over midnight if it is the larger.

    A missing end is the day's own (0 or 24); two equal hours, or none at all, are no hours.
    """
    if from_hour is None and until_hour is None:
        return frozenset()
    start, end = from_hour or 0, 24 if until_hour is None else until_hour
    if start <= end:
        return frozenset(range(start, end))
    return frozenset(range(start, 24)) | frozenset(range(end))


def allowed_hours(
    *, send_from: int | None, send_until: int | None, quiet_from: int | None, quiet_until: int | None
) -> frozenset[int]:
    """Return the local hours in which a mail may go; empty if window and quiet hours leave none."""
    has_window = send_from is not None or send_until is not None
    window = hours_between(send_from, send_until) if has_window else ALL_HOURS
    has_quiet = quiet_from is not None and quiet_until is not None
    return window - hours_between(quiet_from, quiet_until) if has_quiet else window


def is_allowed(moment: datetime, *, zone: ZoneInfo, hours: frozenset[int]) -> bool:
    """Say whether the local clock shows an allowed hour at `moment`."""
    return moment.astimezone(zone).hour in hours


def next_allowed(moment: datetime, *, zone: ZoneInfo, hours: frozenset[int]) -> datetime:
    """
    Return the first instant from `moment` on at which the local clock shows an allowed hour, in UTC.

    :raises ValueError: if no hour is allowed.
    """
    if not hours:
        raise ValueError("no hour of the day is allowed")
    at = moment.astimezone(UTC)
    if is_allowed(at, zone=zone, hours=hours):
        return at
    # Clocks show a new hour at a full minute only, so what waits since the same minute waits equally long.
    return _end_of_pause(at.replace(second=0, microsecond=0), zone, hours)


@lru_cache(maxsize=4_096)
def _end_of_pause(at: datetime, zone: ZoneInfo, hours: frozenset[int]) -> datetime:
    """Return the first instant after `at`, at which no mail may go, at which one may."""
    for _ in range(_MOST_STEPS):
        at = _next_change_of_hour(at, zone)
        if is_allowed(at, zone=zone, hours=hours):
            return at
    raise ValueError(f"the hours {sorted(hours)} do not occur in {zone.key} within two days")


def _next_change_of_hour(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the next instant at which the local clock's hour can change: its full hour, or a clock change before."""
    local = at.astimezone(zone)
    into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    full_hour = at + _HOUR - into_hour
    if full_hour.astimezone(zone).utcoffset() == local.utcoffset():
        return full_hour
    before, after = at.replace(microsecond=0), full_hour
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == local.utcoffset():
            before = middle
        else:
            after = middle
    return after


def next_day_at(moment: datetime, *, zone: ZoneInfo, hour: int) -> datetime:
    """Return the next local day's `hour` o'clock in UTC; an hour that a clock change skips moves to after the gap."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(hour), tzinfo=zone).astimezone(UTC)


def due_at(
    *, last: datetime, wait: timedelta, next_day_hour: int | None, zone: ZoneInfo, hours: frozenset[int]
) -> datetime:
    """
    Return when a match is due whose shopper was last heard of at `last`, in UTC.

    That is after the wait (and not before `next_day_hour` o'clock of the next local day, if given), moved on to the
    next allowed hour. If no hour is allowed the match is due after the wait, and the decision then says so.
    """
    earliest = (last + wait).astimezone(UTC)
    if next_day_hour is not None:
        earliest = max(earliest, next_day_at(last, zone=zone, hour=next_day_hour))
    return next_allowed(earliest, zone=zone, hours=hours) if hours else earliest
