"""A silence is improbable in the middle of the day, and not at night, at weekends or on a quiet day."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.webhooks import silence
from signals_app.webhooks.silence import HOUR

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
"""Eight weeks later the clocks have gone back."""


def shape(moment: datetime) -> float:
    """Return how busy a German shop is at a moment, 0 to 1: asleep at night, half as busy on Sundays."""
    local = moment.astimezone(BERLIN)
    by_day = max(0.0, math.sin(math.pi * (local.hour + local.minute / 60 - 6) / 17)) if 6 <= local.hour < 23 else 0.0
    return by_day * (0.5 if local.weekday() == 6 else 1.0)


def traffic(
    start: datetime, weeks: float, peak: float, *, seed: int, visit: int = 1, quiet_from: datetime | None = None
) -> list[datetime]:
    """Return the moments of signals, `peak` an hour at the busiest, in bursts of up to `2 * visit - 1` a visit."""
    chance, moments, moment = random.Random(seed), [], start
    end = start + timedelta(weeks=weeks)
    while (moment := moment + timedelta(hours=chance.expovariate(peak / visit))) < end:
        level = 0.2 if quiet_from and moment >= quiet_from else 1.0
        if chance.random() < shape(moment) * level:
            for number in range(chance.randint(1, 2 * visit - 1)):
                moments.append(moment + timedelta(seconds=20 * number))
    return sorted(moments)


def by_hour(moments: list[datetime], start: datetime, end: datetime) -> dict[datetime, int]:
    counts = dict.fromkeys(silence.whole_hours(start, end), 0)
    for moment in moments:
        hour = moment.replace(minute=0, second=0, microsecond=0)
        if hour in counts:
            counts[hour] += 1
    return counts


def false_alarms(moments: list[datetime], *, after: datetime) -> int:
    """
    Count the gaps between signals that would have raised an alarm.

    Only the longest gap that begins in each hour is looked at: the others are shorter at the same hours.
    """
    longest: dict[datetime, tuple[datetime, datetime]] = {}
    for earlier, later in pairwise(moments):
        hour = earlier.replace(minute=0, second=0, microsecond=0)
        best = longest.get(hour)
        if earlier >= after and (best is None or later - earlier > best[1] - best[0]):
            longest[hour] = earlier, later
    hourly = by_hour(moments, MONDAY, moments[-1])
    return sum(
        silence.judge(
            {hour: count for hour, count in hourly.items() if hour + HOUR <= later},
            last_at=earlier,
            now=later,
            zone=BERLIN,
        ).is_improbable
        for earlier, later in longest.values()
        if later - earlier >= silence.SHORTEST
    )


@pytest.mark.slow
@pytest.mark.parametrize(("peak", "visit"), [(3, 1), (20, 1), (20, 6)])
def test_eight_weeks_of_nights_and_weekends_raise_at_most_one_false_alarm(peak: float, visit: int) -> None:
    moments = traffic(MONDAY, 8, peak, seed=7, visit=visit)

    assert false_alarms(moments, after=MONDAY + timedelta(weeks=silence.WEEKS_NEEDED, hours=2)) <= 1


def test_a_holiday_with_a_fifth_of_the_visitors_raises_none_after_its_first_day() -> None:
    holiday = MONDAY + timedelta(weeks=5)
    moments = traffic(MONDAY, 6, 20, seed=3, quiet_from=holiday)

    assert false_alarms(moments, after=holiday + timedelta(days=1)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("peak", "visit", "at_most"), [(600, 1, 3), (60, 1, 25), (60, 6, 110), (5, 1, 300)], ids=str)
def test_a_silence_at_noon_is_noticed_within_minutes_to_hours(peak: float, visit: int, at_most: int) -> None:
    noon = MONDAY + timedelta(weeks=4, days=1, hours=10)
    moments = [moment for moment in traffic(MONDAY, 5, peak, seed=1, visit=visit) if moment < noon]
    hourly = by_hour(moments, MONDAY, noon)

    minutes = next(
        minute
        for minute in range(1, 24 * 60)
        if silence.judge(
            hourly | dict.fromkeys(silence.whole_hours(noon, noon + timedelta(minutes=minute)), 0),
            last_at=moments[-1],
            now=moments[-1] + timedelta(minutes=minute),
            zone=BERLIN,
        ).is_improbable
    )

    assert minutes <= at_most


def test_what_is_usual_follows_the_clock_of_the_shop_over_the_change_to_winter_time() -> None:
    weeks = [datetime(2026, 10, 12, 18, tzinfo=BERLIN) + timedelta(weeks=number) for number in range(4)]
    hourly = {moment.astimezone(UTC): 40 for moment in weeks}

    usual = silence.learn(hourly, BERLIN)

    assert usual.seen[18] == (40, 40, 40, 40)
    assert sum(map(len, usual.seen)) == 4


def test_where_clocks_differ_by_half_an_hour_a_silence_is_compared_with_its_own_hours() -> None:
    kolkata, hour = ZoneInfo("Asia/Kolkata"), datetime(2026, 10, 5, 0, tzinfo=UTC)  # 05:30 to 06:30 there
    hourly = {
        hour + timedelta(weeks=week, hours=number): 30 * (number == 0) for week in range(-4, 0) for number in range(168)
    }

    last_at, now = hour + timedelta(minutes=35), hour + timedelta(minutes=55)
    found = silence.judge(hourly, last_at=last_at, now=now, zone=kolkata)

    assert (found.expected, found.usual_an_hour) == (pytest.approx(10), 30)
    assert found.is_improbable


class TestWithLittleHistory:
    def test_a_day_without_signals_is_too_long(self) -> None:
        hourly = {MONDAY + number * HOUR: 2 for number in range(48)}
        last = MONDAY + timedelta(hours=47, minutes=30)

        before = silence.judge(hourly, last_at=last, now=last + timedelta(hours=23, minutes=59), zone=BERLIN)
        after = silence.judge(hourly, last_at=last, now=last + timedelta(hours=24), zone=BERLIN)

        assert (before.is_improbable, after.is_improbable, after.chance) == (False, True, None)

    def test_a_handful_of_trials_is_not_yet_in_use(self) -> None:
        hourly = {MONDAY: silence.PLAIN_SIGNALS - 1}

        assert not silence.judge(hourly, last_at=MONDAY, now=MONDAY + timedelta(days=5), zone=BERLIN).is_improbable


counts = st.lists(st.integers(0, 200), min_size=24 * 7 * 3, max_size=24 * 7 * 3)


@settings(max_examples=30)
@given(counts, st.integers(0, 60 * 24 * 10), st.integers(0, 60 * 24), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_a_longer_silence_is_never_more_probable(numbers: list[int], minutes: int, longer: int, zone: str) -> None:
    hourly = {MONDAY + number * HOUR: count for number, count in enumerate(numbers)}
    last = MONDAY + timedelta(weeks=3)

    short, long = (
        silence.judge(hourly, last_at=last, now=last + timedelta(minutes=length), zone=ZoneInfo(zone))
        for length in (minutes, minutes + longer)
    )

    assert short.chance is not None
    assert long.chance is not None
    assert 0 <= long.chance <= short.chance <= 1
    assert 0 <= short.expected <= long.expected
    assert long.is_improbable or not short.is_improbable


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(1, 100), st.integers(1, 300))
def test_it_is_never_less_probable_than_poisson_says(weeks: int, rate: int, minutes: int) -> None:
    hourly = {MONDAY + number * HOUR: rate for number in range(weeks * 168)}
    last = MONDAY + timedelta(weeks=weeks)

    found = silence.judge(hourly, last_at=last, now=last + timedelta(minutes=minutes), zone=ZoneInfo("UTC"))

    assert found.chance is not None
    assert found.chance >= math.exp(-rate * minutes / 60) * (1 - 1e-9)
    assert found.expected == pytest.approx(rate * minutes / 60)


@given(
    st.floats(0, 10_000).map(lambda hours: MONDAY + timedelta(hours=hours)),
    st.floats(0, 50),
)
def test_whole_hours_lie_inside(start: datetime, hours: float) -> None:
    end = start + timedelta(hours=hours)
    found = list(silence.whole_hours(start, end))

    assert all(start <= hour and hour + HOUR <= end and hour.minute == 0 for hour in found)
    assert len(found) in {int(hours), int(hours) - 1, int(hours) + 1}
    assert found == sorted(found)
    assert bisect_right(found, end) == len(found)
