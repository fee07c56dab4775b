"""
Whether a silence is improbable: what came is compared with what is usual in that hour of the week.

Shoppers sleep, and some shops rest on Sundays, so "nothing for an hour" says nothing by itself. A source has its own
week of 168 hours, on the store's clock, learnt from the last eight. The chance of seeing nothing is Poisson's, with
three corrections that keep false alarms away:

* how much a rate learnt from few weeks can be wrong (the Poisson is averaged over the rates that fit what was seen);
* signals come in bursts, several of one visit, so a hundred signals are fewer than a hundred independent events;
* on a holiday everything is quieter: what is expected is scaled down by how the day before the silence went.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
HOURS_A_WEEK = 168
WEEKS = 8
WEEKS_NEEDED = 2
SHORTEST = timedelta(minutes=3)
LARGEST_CHANCE = 1e-4
WEEKS_A_FALSE_ALARM = 100
"""A busy source has many gaps between signals a week, each a chance for a false alarm; all together may give one in so long."""
PLAIN_LIMIT = timedelta(hours=24)
PLAIN_SIGNALS = 10
"""Of a source that is not known well yet, that many signals make it one that is in use."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What came in each hour of the week, Monday 00:00 first, a number for each week."""

    seen: tuple[tuple[int, ...], ...]

    @property
    def weeks(self) -> int:
        """In how many weeks every hour of the week was seen."""
        return min(len(numbers) for numbers in self.seen)

    @property
    def total(self) -> int:
        return sum(map(sum, self.seen))

    def rate(self, hour: int) -> float:
        """Return how many signals are usual in an hour of the week, 0 to 167."""
        numbers = self.seen[hour]
        return sum(numbers) / len(numbers) if numbers else 0.0

    def burst(self) -> float:
        """Return how many signals make one independent event: variance by mean over the weeks, at least 1."""
        squares = expected = 0.0
        for hour, numbers in enumerate(self.seen):
            if len(numbers) > 1:
                mean = self.rate(hour)
                squares += sum((number - mean) ** 2 for number in numbers)
                expected += mean * (len(numbers) - 1)
        return max(1.0, squares / expected) if expected else 1.0


@dataclass(frozen=True, slots=True)
class Silence:
    """What to make of a silence; `chance` is None when the source is not known well enough to say."""

    is_improbable: bool
    chance: float | None
    expected: float
    """Signals that are usual in the time of the silence."""
    usual_an_hour: float
    """Signals that are usual in an hour like the one it is now."""


def learn(hourly: Mapping[datetime, int], zone: ZoneInfo) -> Baseline:
    """Return what is usual, from the signals of each whole hour; an hour without any has to be there with 0."""
    seen: list[list[int]] = [[] for _ in range(HOURS_A_WEEK)]
    for hour, count in hourly.items():
        seen[hour_of_week(hour, zone)].append(count)
    return Baseline(tuple(map(tuple, seen)))


def hour_of_week(moment: datetime, zone: ZoneInfo) -> int:
    """Return the hour of the week on the store's clock: it is the clock that shoppers live by, also in summer."""
    local = moment.astimezone(zone)
    return local.weekday() * 24 + local.hour


def judge(hourly: Mapping[datetime, int], *, last_at: datetime, now: datetime, zone: ZoneInfo) -> Silence:
    """
    Say whether the silence from `last_at` until `now` is improbable.

    `hourly` has the signals of each whole hour (UTC) of the last weeks, hours without any included.
    """
    usual = learn(hourly, zone)
    spans = list(_spans(last_at, now, zone)) if now - last_at < timedelta(weeks=WEEKS) else []
    expected = sum(usual.rate(hour) * share for hour, share in spans)
    usual_an_hour = usual.rate(hour_of_week(_floor(now), zone))
    if usual.weeks < WEEKS_NEEDED:
        is_long = now - last_at >= PLAIN_LIMIT and usual.total >= PLAIN_SIGNALS
        return Silence(is_long, None, expected, usual_an_hour)
    burst = usual.burst()
    level = _level(hourly, usual, last_at, zone)
    chance = math.exp(sum(_log_chance_of_none(usual.seen[hour], share * level) for hour, share in spans) / burst)
    events_a_week = sum(map(usual.rate, range(HOURS_A_WEEK))) / burst
    limit = min(LARGEST_CHANCE, 1 / (WEEKS_A_FALSE_ALARM * max(1.0, events_a_week)))
    return Silence(chance < limit and now - last_at >= SHORTEST, chance, expected, usual_an_hour)


def _log_chance_of_none(numbers: tuple[int, ...], share: float) -> float:
    # The Poisson chance of nothing, exp(-rate * share), averaged over the gamma distribution of the rates that could
    # have brought these numbers. An hour that never brought anything says nothing.
    return sum(numbers) * -math.log1p(share / len(numbers)) if numbers else 0.0


def _level(hourly: Mapping[datetime, int], usual: Baseline, last_at: datetime, zone: ZoneInfo) -> float:
    """Return which part of the usual came in the day before the silence, at most 1."""
    whole = _floor(last_at)
    hours = [hour for back in range(1, 25) if (hour := whole - back * HOUR) in hourly]
    came = sum(hourly[hour] for hour in hours)
    expected = sum(usual.rate(hour_of_week(hour, zone)) for hour in hours)
    return min(1.0, (came + 1) / (expected + 1))


def _spans(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[int, float]]:
    """Yield each hour of the week that a time touches, and which part of it."""
    begin = start
    while begin < end:
        stop = min(_floor(begin) + HOUR, end)
        # By the beginning of its hour, as in `learn`: where clocks differ by half an hour, the next one begins inside.
        yield hour_of_week(_floor(begin), zone), (stop - begin) / HOUR
        begin = stop


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def whole_hours(start: datetime, end: datetime) -> Iterable[datetime]:
    """Return the hours (UTC) that begin at `start` or later and have ended at `end`."""
    first = _floor(start)
    if first < start:
        first += HOUR
    return [first + number * HOUR for number in range(max(0, int((end - first) / HOUR)))]
