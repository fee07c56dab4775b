from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.remarketing import schedule

QUIET = schedule.allowed_hours(send_from=None, send_until=None, quiet_from=21, quiet_until=8)
NINE_TO_EIGHT = schedule.allowed_hours(send_from=9, send_until=20, quiet_from=21, quiet_until=8)
BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@cache
def clock_changes(name: str) -> tuple[datetime, ...]:
    """Return the instants, to the second, at which a zone's clock changes from 2026 to 2028."""
    zone = ZoneInfo(name)
    changes, at = [], START
    while at < END:
        following = at + timedelta(days=5)  # no zone changes its clock and back within so few days
        if at.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            before, after = at, following
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) / 2
                middle = middle.replace(microsecond=0)
                if middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                    before = middle
                else:
                    after = middle
            changes.append(after)
        at = following
    return tuple(changes)


class TestAllowedHours:
    def test_quiet_hours_reach_over_midnight(self) -> None:
        assert frozenset(range(8, 21)) == QUIET

    def test_a_window_and_quiet_hours_both_count(self) -> None:
        assert frozenset(range(9, 20)) == NINE_TO_EIGHT

    def test_no_limits_allow_every_hour(self) -> None:
        hours = schedule.allowed_hours(send_from=None, send_until=None, quiet_from=None, quiet_until=None)

        assert hours == schedule.ALL_HOURS

    def test_a_window_within_the_quiet_hours_leaves_nothing(self) -> None:
        assert not schedule.allowed_hours(send_from=22, send_until=24, quiet_from=21, quiet_until=8)

    def test_midnight_may_end_a_window(self) -> None:
        hours = schedule.allowed_hours(send_from=20, send_until=24, quiet_from=None, quiet_until=None)

        assert hours == {20, 21, 22, 23}


class TestNextAllowed:
    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            ("2026-11-24T20:59:59", "2026-11-24T20:59:59"),
            ("2026-11-24T21:00:00", "2026-11-25T08:00:00"),
            ("2026-11-25T03:17:42", "2026-11-25T08:00:00"),
            ("2026-11-25T08:00:00", "2026-11-25T08:00:00"),
            ("2026-03-28T22:30:00", "2026-03-29T08:00:00"),  # the clock skips 2:00 that night
            ("2026-10-24T22:30:00", "2026-10-25T08:00:00"),  # the clock shows 2:00 twice that night
        ],
    )
    def test_waits_for_the_end_of_the_quiet_hours_on_the_local_clock(self, moment: str, expected: str) -> None:
        assert schedule.next_allowed(berlin(moment), zone=BERLIN, hours=QUIET) == berlin(expected)

    def test_an_hour_that_the_clock_skips_does_not_occur_that_day(self) -> None:
        found = schedule.next_allowed(berlin("2026-03-29T01:30:00"), zone=BERLIN, hours=frozenset({2}))

        assert found == berlin("2026-03-30T02:00:00")

    def test_finds_a_clock_change_that_is_not_at_a_full_hour(self) -> None:
        # Lord Howe moves by 30 minutes: 02:00 becomes 02:30 on 4 October 2026.
        zone = ZoneInfo("Australia/Lord_Howe")
        before = datetime(2026, 10, 4, 1, 30, tzinfo=zone).astimezone(UTC)

        found = schedule.next_allowed(before, zone=zone, hours=frozenset({2}))

        assert found == before + timedelta(minutes=30)
        assert found.astimezone(zone).strftime("%H:%M") == "02:30"

    def test_refuses_to_wait_for_no_hour(self) -> None:
        with pytest.raises(ValueError, match="no hour"):
            schedule.next_allowed(START, zone=BERLIN, hours=frozenset())

    def test_never_ends_in_the_quiet_hours_of_any_zone_around_any_clock_change(self) -> None:
        for name in sorted(zoneinfo.available_timezones()):
            zone = ZoneInfo(name)
            moments = [
                START,
                *(change + timedelta(hours=hours) for change in clock_changes(name) for hours in (-13, -2, 0)),
            ]
            for moment in moments:
                for hours in (QUIET, NINE_TO_EIGHT):
                    found = schedule.next_allowed(moment, zone=zone, hours=hours)
                    assert found >= moment
                    assert found.astimezone(zone).hour in hours, (name, moment)

    @settings(max_examples=150, deadline=None)
    @given(
        name=st.sampled_from(sorted(zoneinfo.available_timezones())),
        minutes=st.integers(0, 3 * 365 * 24 * 60),
        change=st.integers(0, 10),
        hours=st.frozensets(st.integers(0, 23), min_size=1, max_size=23).filter(lambda hours: hours - {1, 2, 3}),
    )
    def test_gives_the_first_allowed_instant_and_not_a_later_one(
        self, name: str, minutes: int, change: int, hours: frozenset[int]
    ) -> None:
        zone = ZoneInfo(name)
        moment = START + timedelta(minutes=minutes)
        changes = clock_changes(name)
        if changes and change < 8:  # most examples near a clock change, where mistakes live
            moment = changes[change % len(changes)] + (moment - START) % timedelta(hours=26) - timedelta(hours=25)

        found = schedule.next_allowed(moment, zone=zone, hours=hours)

        assert found >= moment
        assert found.astimezone(zone).hour in hours
        passed = moment
        while passed < found:
            assert passed.astimezone(zone).hour not in hours
            passed += timedelta(minutes=5)
        just_before = found - timedelta(seconds=1)
        assert just_before < moment or just_before.astimezone(zone).hour not in hours


class TestDueAt:
    def due(self, last: str, *, minutes: int = 45, next_day_hour: int | None = None) -> datetime:
        return schedule.due_at(
            last=berlin(last),
            wait=timedelta(minutes=minutes),
            next_day_hour=next_day_hour,
            zone=BERLIN,
            hours=QUIET,
        )

    def test_counts_the_wait_from_the_last_signal(self) -> None:
        assert self.due("2026-11-24T12:00:00") == berlin("2026-11-24T12:45:00")

    def test_moves_on_to_the_end_of_the_quiet_hours(self) -> None:
        assert self.due("2026-11-24T20:30:00") == berlin("2026-11-25T08:00:00")

    def test_waits_for_an_hour_of_the_next_day(self) -> None:
        assert self.due("2026-11-24T23:59:00", minutes=0, next_day_hour=10) == berlin("2026-11-25T10:00:00")
        assert self.due("2026-11-24T00:01:00", minutes=0, next_day_hour=10) == berlin("2026-11-25T10:00:00")

    def test_counts_the_wait_in_real_time_over_a_clock_change(self) -> None:
        assert self.due("2026-10-24T20:00:00", minutes=15 * 60) == berlin("2026-10-25T10:00:00")

    @given(
        hour=st.integers(0, 23), name=st.sampled_from(sorted(zoneinfo.available_timezones())), change=st.integers(0, 9)
    )
    @settings(max_examples=100, deadline=None)
    def test_the_next_day_is_the_next_day_also_at_a_clock_change(self, hour: int, name: str, change: int) -> None:
        zone = ZoneInfo(name)
        changes = clock_changes(name) or (START,)
        moment = changes[change % len(changes)] - timedelta(hours=20)

        found = schedule.next_day_at(moment, zone=zone, hour=hour)

        local = found.astimezone(zone)
        assert (local.date() - moment.astimezone(zone).date()).days == 1
        assert local.hour >= hour


class TestZoneOf:
    def test_takes_the_first_that_exists(self) -> None:
        assert schedule.zone_of("", "Nowhere/Land", "Europe/Berlin", "UTC") == BERLIN

    @pytest.mark.parametrize("name", ["../etc/passwd", "a\x00b", "Europe"])
    def test_falls_back_to_utc_for_what_is_no_zone(self, name: str) -> None:
        assert schedule.zone_of(name).key == "UTC"
