"""The way that a score took: folded from what is stored, and ending where the profile stands."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from signals_app.customers.models import Identifier
from signals_app.projects.models import Project
from signals_app.shopper_signals import services, unfolding
from signals_app.shopper_signals.folding import SignalFacts
from signals_app.shopper_signals.models import IntentProfile
from signals_app.shopper_signals.scoring import Usual, assess, score_at
from tests.shopper_signals.conftest import NOW, make_signal, minutes
from tests.shopper_signals.test_folding import folded, signals

USUAL = Usual(loops=1.0, broken_buttons=0.1, performance=2.0)


class TestUnfolding:
    @given(st.lists(signals, max_size=20, unique_by=lambda signal: signal.id), st.integers(0, 20), st.integers(0, 500))
    def test_ends_with_the_score_that_all_signals_gave(self, every: list[SignalFacts], latest: int, hours: int) -> None:
        every.sort(key=lambda signal: (signal.received_at, signal.id))
        state, tail = folded(every), every[max(0, len(every) - latest) :]

        reached = [state, *(after for _, after in unfolding.states_after(state, tail))][-1]

        now = (state.last_signal_at or NOW) + timedelta(hours=hours)
        expected = score_at(state, usual=USUAL, now=now)
        assert score_at(reached, usual=USUAL, now=now) == pytest.approx(expected, abs=0.02)
        assert expected == assess(state, usual=USUAL, last_ordered_at=None, now=now).score

    @given(st.lists(signals, max_size=12, unique_by=lambda signal: signal.id))
    def test_shows_each_step_as_it_was_when_nothing_came_before(self, every: list[SignalFacts]) -> None:
        steps = [
            score_at(state, usual=USUAL, now=signal.received_at)
            for signal, state in unfolding.states_after(folded(every), every)
        ]

        every.sort(key=lambda signal: (signal.received_at, signal.id))
        expected = [
            score_at(folded(every[: place + 1]), usual=USUAL, now=one.received_at) for place, one in enumerate(every)
        ]
        assert steps == pytest.approx(expected, abs=1e-6)


class TestTheHistory:
    def fill(self, project: Project, shopper: Callable[..., Identifier], count: int) -> Identifier:
        anna, chance = shopper(), random.Random(7)
        rows = [
            make_signal(
                NOW - minutes(90 * place),
                anna,
                num_events=chance.randrange(40),
                drop_proba=chance.random(),
                performance=chance.random() * 5,
                relevant_events=[{"name": f"/products/{chance.randrange(9)}"}, {"name": "/cart"}][: 1 + place % 2],
            )
            for place in range(count)
        ]
        for place in range(0, count, 500):
            services.record_signals(project=project, signals=rows[place : place + 500], now=NOW)
        return anna

    @pytest.mark.parametrize("count", [1, 30, 700])
    def test_ends_where_the_profile_stands(
        self, project: Project, shopper: Callable[..., Identifier], count: int
    ) -> None:
        anna = self.fill(project, shopper, count)

        points = services.intent_history(customer=anna.customer)

        stored = IntentProfile.objects.get(customer=anna.customer)
        assert points[-1].is_signal, "scored at the moment of the last signal"
        assert points[-1].score == pytest.approx(stored.intent_score, abs=1e-6)
        assert points[-1].drop_proba == stored.last_drop_proba
        assert sum(point.is_signal for point in points) == min(count, 200)
        assert [point.at for point in points] == sorted(point.at for point in points)

    def test_costs_no_more_for_very_many_signals(self, project: Project, shopper: Callable[..., Identifier]) -> None:
        anna = self.fill(project, shopper, 700)

        with CaptureQueriesContext(connection) as queries:
            services.intent_history(customer=anna.customer)

        assert len(queries) <= 7  # the patterns of addresses among them, which are remembered for a second

    def test_falls_in_a_long_pause(self, project: Project, shopper: Callable[..., Identifier]) -> None:
        anna = shopper()
        for at in (NOW - timedelta(days=9), NOW):
            services.record_signals(project=project, signals=[make_signal(at, anna, num_events=30)], now=at)

        first, faded, last = services.intent_history(customer=anna.customer)

        assert first.score > 20 > faded.score
        assert (faded.is_signal, faded.drop_proba) == (False, None)
        assert last.score > faded.score

    def test_is_empty_without_signals(self, project: Project, shopper: Callable[..., Identifier]) -> None:
        assert services.intent_history(customer=shopper().customer) == []
