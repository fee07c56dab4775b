from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.shopper_signals.constants import Stage
from signals_app.shopper_signals.folding import IntentState, SignalFacts, fold
from signals_app.shopper_signals.scoring import NOTICEABLE_POINTS, Assessment, Contribution, Usual, assess, explain
from tests.shopper_signals.conftest import NOW, minutes

ROUNDING = 0.06
"""Ten parts, each rounded to a hundredth."""

EXAMPLE = SignalFacts(uuid.UUID(int=1), NOW, 0.97, 1.4, 25, 1, 0, 1.0, 0.1, 2, True)
BROWSING = SignalFacts(uuid.UUID(int=1), NOW, 0.3, None, 3, None, None, None, None, 1, False)

facts = st.builds(
    SignalFacts,
    id=st.uuids(),
    received_at=st.integers(0, 60 * 24 * 40).map(lambda count: NOW - timedelta(minutes=count)),
    drop_proba=st.none() | st.floats(0, 1),
    performance=st.none() | st.floats(0, 1e9),
    num_events=st.none() | st.integers(0, 400),
    num_loops=st.none() | st.integers(0, 40),
    num_broken_buttons=st.none() | st.integers(0, 40),
    avg_loops=st.none() | st.floats(0, 10),
    avg_broken_buttons=st.none() | st.floats(0, 10),
    products_viewed=st.integers(0, 20),
    visited_cart=st.booleans(),
)
some_facts = st.lists(facts, min_size=1, max_size=6, unique_by=lambda one: one.id)
usuals = st.builds(Usual, st.none() | st.floats(0, 5), st.none() | st.floats(0, 5), st.none() | st.floats(0.01, 100))


def assessed(
    *signals: SignalFacts, now: datetime = NOW, usual: Usual | None = None, ordered: datetime | None = None
) -> Assessment:
    state = IntentState(72)
    fold(state, signals)
    return assess(state, usual=usual or Usual(), last_ordered_at=ordered, now=now)


def explained(*signals: SignalFacts, usual: Usual | None = None) -> list[Contribution]:
    state = IntentState(72)
    fold(state, signals)
    return explain(state, usual=usual or Usual(), now=NOW)


def changed(signals: list[SignalFacts], **values: Any) -> list[SignalFacts]:
    return [signals[0]._replace(**values), *signals[1:]]


class TestTheScore:
    def test_is_high_for_the_example_and_low_for_ordinary_browsing(self) -> None:
        assert assessed(EXAMPLE).score >= 60
        assert assessed(BROWSING).score < 25

    def test_is_nothing_without_signals(self) -> None:
        nothing = assessed()

        assert (nothing.score, nothing.stage, nothing.review_at) == (0, Stage.BROWSING, None)
        assert explained() == []

    @given(some_facts, usuals)
    def test_is_the_sum_of_its_contributions_between_0_and_100(self, signals: list[SignalFacts], usual: Usual) -> None:
        found = assessed(*signals, usual=usual)

        assert 0 <= found.score <= 100
        parts = explained(*signals, usual=usual)
        assert sum(part.points for part in parts) == pytest.approx(found.score, abs=0.005)
        assert len({part.name for part in parts}) == len(parts)
        for part in parts:
            verb = "adds" if part.points > 0 else "takes away"
            assert part.detail.endswith(f" {verb} {abs(part.points):.1f} points.")
            assert part.detail[0].isupper()

    @given(some_facts, st.integers(0, 400), st.integers(1, 100))
    def test_does_not_fall_when_the_shopper_does_more(self, signals: list[SignalFacts], events: int, more: int) -> None:
        for name, low, high in (
            ("num_events", events, events + more),
            ("products_viewed", events % 19, 20),
            ("performance", float(events), float(events + more)),
            ("visited_cart", False, True),
        ):
            before, after = changed(signals, **{name: low}), changed(signals, **{name: high})

            assert assessed(*after).score >= assessed(*before).score - ROUNDING, name

    @given(some_facts, st.integers(0, 30), st.integers(1, 10), st.floats(0, 1))
    def test_does_not_rise_with_what_gets_in_the_way(
        self, signals: list[SignalFacts], count: int, more: int, drop: float
    ) -> None:
        for name, low, high in (
            ("num_broken_buttons", count, count + more),
            ("num_loops", count, count + more),
            ("drop_proba", drop, drop + (1 - drop) / 2),
        ):
            before, after = changed(signals, **{name: low}), changed(signals, **{name: high})

            assert assessed(*after).score <= assessed(*before).score + ROUNDING, name

    @given(some_facts, usuals, st.floats(0, 24 * 60), st.floats(0, 24 * 60))
    def test_never_rises_while_nothing_happens(
        self, signals: list[SignalFacts], usual: Usual, hours: float, more: float
    ) -> None:
        early, late = NOW + timedelta(hours=hours), NOW + timedelta(hours=hours + more)

        assert (
            assessed(*signals, now=late, usual=usual).score
            <= assessed(*signals, now=early, usual=usual).score + ROUNDING
        )

    def test_compares_time_spent_with_what_is_usual_in_the_shop(self) -> None:
        in_percent = EXAMPLE._replace(performance=60.0)

        def points(usual: float | None) -> float:
            return next(
                part.points
                for part in explained(in_percent, usual=Usual(performance=usual))
                if part.name == "Time spent"
            )

        assert points(60.0) == 6
        assert points(None) > 11

    def test_takes_unknown_friction_for_usual(self) -> None:
        unknown = EXAMPLE._replace(num_loops=9, avg_loops=None)

        assert assessed(unknown).score > assessed(unknown, usual=Usual(loops=2.0)).score


class TestTheStage:
    def test_is_leaving_with_intent_when_both_are_high(self) -> None:
        assert assessed(EXAMPLE).stage is Stage.LEAVING_WITH_INTENT
        assert assessed(EXAMPLE._replace(drop_proba=0.4)).stage is Stage.HIGH_INTENT
        assert assessed(BROWSING._replace(drop_proba=0.97)).stage is Stage.BROWSING

    def test_is_entered_at_once_though_the_mean_is_low(self) -> None:
        calm = [
            EXAMPLE._replace(id=uuid.UUID(int=n), drop_proba=0.1, received_at=NOW - minutes(30 - n)) for n in range(20)
        ]

        assert assessed(*calm).stage is Stage.HIGH_INTENT
        assert assessed(*calm, EXAMPLE._replace(id=uuid.UUID(int=99))).stage is Stage.LEAVING_WITH_INTENT

    def test_does_not_flap_when_signals_alternate(self) -> None:
        alternating = [
            EXAMPLE._replace(id=uuid.UUID(int=n), drop_proba=0.97 if n % 2 else 0.3, received_at=NOW + minutes(n))
            for n in range(20)
        ]

        stages = {assessed(*alternating[:n], now=NOW + minutes(n)).stage for n in range(2, 20)}

        assert stages == {Stage.LEAVING_WITH_INTENT}

    def test_is_left_a_while_after_the_shopper_has_settled(self) -> None:
        settled = [
            EXAMPLE._replace(id=uuid.UUID(int=n), drop_proba=0.97 if n < 2 else 0.1, received_at=NOW + minutes(n))
            for n in range(12)
        ]

        assert assessed(*settled, now=NOW + minutes(12)).stage is Stage.LEAVING_WITH_INTENT
        assert assessed(*settled, now=NOW + minutes(1 + 3 * 60)).stage is Stage.HIGH_INTENT

    def test_outlasts_the_visit_and_then_fades(self) -> None:
        visit = [EXAMPLE._replace(id=uuid.UUID(int=n)) for n in range(3)]

        stages = [assessed(*visit, now=NOW + timedelta(days=days)).stage for days in (0, 1, 3, 8, 29, 30)]

        assert stages == [
            Stage.LEAVING_WITH_INTENT,
            Stage.LEAVING_WITH_INTENT,
            Stage.CONSIDERING,
            Stage.BROWSING,
            Stage.BROWSING,
            Stage.LAPSED,
        ]

    def test_is_bought_recently_for_a_week_after_an_order(self) -> None:
        assert assessed(EXAMPLE, ordered=NOW - timedelta(days=6.9)).stage is Stage.BOUGHT_RECENTLY
        assert assessed(EXAMPLE, ordered=NOW - timedelta(days=7)).stage is Stage.LEAVING_WITH_INTENT


class TestAStageDoesNotFlap:
    """Note [Stages that do not flap] in `scoring`: each limit is crossed at most twice a step of 3 hours."""

    @staticmethod
    def stages_of(signals: list[SignalFacts], usual: Usual | None = None) -> list[Stage]:
        state, stages = IntentState(72), []
        for signal in signals:
            fold(state, [signal])
            found = assess(state, usual=usual or Usual(), last_ordered_at=None, now=signal.received_at)
            stages.append(found.stage)
        return [stage for number, stage in enumerate(stages) if number == 0 or stages[number - 1] != stage]

    @settings(max_examples=40)
    @given(st.randoms(use_true_random=False), st.sampled_from((1, 5, 30)), st.floats(0.01, 0.4))
    def test_when_the_exit_likelihood_walks_along_its_limit(
        self, chance: random.Random, minutes_apart: int, stride: float
    ) -> None:
        drop, walk = 0.8, []
        for n in range(150):
            drop = min(1.0, max(0.0, drop + chance.choice((-stride, stride))))
            at = NOW + minutes(n * minutes_apart)
            walk.append(EXAMPLE._replace(id=uuid.UUID(int=n), drop_proba=drop, received_at=at))

        steps = 150 * minutes_apart / (3 * 60)

        assert len(self.stages_of(walk)) - 1 <= 2 * (steps + 1)

    @settings(max_examples=40)
    @given(st.randoms(use_true_random=False), st.sampled_from((1, 10, 60)), st.sampled_from((48.0, 24.0)), usuals)
    def test_when_interest_walks_along_a_limit(
        self, chance: random.Random, minutes_apart: int, limit: float, usual: Usual
    ) -> None:
        events, walk = (9 if limit > 30 else 4), []
        for n in range(150):
            events = max(0, events + chance.choice((-1, 1)))
            friction = chance.choice((0, 1, 5))
            walk.append(
                SignalFacts(
                    id=uuid.UUID(int=n),
                    received_at=NOW + minutes(n * minutes_apart),
                    drop_proba=chance.random() * 0.79,
                    performance=chance.random() * 2,
                    num_events=events,
                    num_loops=friction,
                    num_broken_buttons=friction,
                    avg_loops=chance.choice((None, 1.0)),
                    products_viewed=chance.choice((0, 1)) if limit > 30 else 0,
                    visited_cart=limit > 30 and n == 0,
                )
            )

        steps = 150 * minutes_apart / (3 * 60)

        assert len(self.stages_of(walk, usual)) - 1 <= 4 * (steps + 1)

    @given(some_facts, usuals)
    def test_without_time_or_signal(self, signals: list[SignalFacts], usual: Usual) -> None:
        stage = assessed(*signals, usual=usual).stage

        assert assessed(*signals, usual=usual).stage is stage
        # What is usual in the shop moves with other people's signals, and no stage with it.
        assert assessed(*signals, usual=Usual(9.0, 9.0, 0.01)).stage is stage

    @settings(max_examples=60)
    @given(some_facts, some_facts)
    def test_a_signal_never_lowers_interest(self, signals: list[SignalFacts], more: list[SignalFacts]) -> None:
        calm = [each._replace(drop_proba=0.1) for each in (*signals, *more)]
        order = [Stage.LAPSED, Stage.BROWSING, Stage.CONSIDERING, Stage.HIGH_INTENT]

        before, after = assessed(*calm[: len(signals)]).stage, assessed(*calm).stage

        assert order.index(after) >= order.index(before)


class TestTheNextReview:
    @given(some_facts, usuals, st.none() | st.floats(0, 40).map(lambda days: NOW - timedelta(days=days)))
    def test_comes_when_something_has_changed_and_not_later(
        self, signals: list[SignalFacts], usual: Usual, ordered: datetime | None
    ) -> None:
        def at(moment: datetime) -> Assessment:
            return assessed(*signals, now=moment, usual=usual, ordered=ordered)

        def differs(one: Assessment, other: Assessment) -> bool:
            return one.stage != other.stage or one.score - other.score >= NOTICEABLE_POINTS - 2 * ROUNDING

        now = at(NOW)
        if now.review_at is None:
            assert not differs(now, at(NOW + timedelta(days=365)))
            return
        assert now.review_at > NOW
        assert differs(now, at(now.review_at + timedelta(seconds=1)))
        half_way = at(NOW + (now.review_at - NOW) * 0.45)
        assert half_way.stage == now.stage
        assert now.score - half_way.score <= NOTICEABLE_POINTS + 2 * ROUNDING

    @pytest.mark.parametrize("hours_ago", [1, 24, 67.9, 200])
    def test_comes_in_time_also_where_a_score_is_no_straight_line(self, hours_ago: float) -> None:
        absurd = SignalFacts(
            id=uuid.UUID(int=1),
            received_at=NOW - timedelta(hours=hours_ago),
            performance=1e12,
            num_events=10**6,
            products_viewed=100,
        )
        latest = SignalFacts(
            id=uuid.UUID(int=2), received_at=NOW, drop_proba=0.35, performance=800.0, products_viewed=100
        )
        usual = Usual(performance=1e-6)
        now = assessed(absurd, latest, usual=usual)

        assert now.review_at is not None
        half_way = assessed(absurd, latest, now=NOW + (now.review_at - NOW) * 0.45, usual=usual)
        assert now.score - half_way.score <= NOTICEABLE_POINTS + 2 * ROUNDING

    @settings(max_examples=25)
    @given(some_facts)
    def test_ends_some_day(self, signals: list[SignalFacts]) -> None:
        moment, steps = NOW, 0
        found = assessed(*signals)
        while found.review_at is not None:
            assert found.review_at > moment
            moment, steps = found.review_at, steps + 1
            found = assessed(*signals, now=moment)

        assert steps < 80
        assert found.stage is Stage.LAPSED
