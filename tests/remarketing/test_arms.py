from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.remarketing import arms
from signals_app.remarketing.constants import Arm

RULE, OTHER_RULE = UUID(int=1), UUID(int=2)


def arm(root: int, percent: int = 10, rule: UUID = RULE, salt: str = "shop") -> Arm:
    return arms.choose_arm(salt=salt, root=root, rule_id=rule, holdout_percent=percent)


class TestChooseArm:
    @pytest.mark.parametrize("percent", [10, 50])
    def test_splits_100_000_shoppers_within_three_standard_deviations(self, percent: int) -> None:
        held_out = sum(arm(root, percent) is Arm.HOLDOUT for root in range(100_000))

        share = percent / 100
        assert abs(held_out - 100_000 * share) < 3 * (100_000 * share * (1 - share)) ** 0.5

    def test_is_the_same_after_a_restart(self) -> None:
        assert [root for root in range(60) if arm(root) is Arm.HOLDOUT] == [0, 10, 16, 17, 29, 56, 59]

    def test_nobody_is_held_out_of_nothing(self) -> None:
        assert {arm(root, 0) for root in range(1_000)} == {Arm.TREATMENT}

    @given(root=st.integers(0, 2**63), smaller=st.integers(0, 50), larger=st.integers(0, 50))
    def test_a_larger_control_group_keeps_everyone_who_is_in_it(self, root: int, smaller: int, larger: int) -> None:
        smaller, larger = sorted((smaller, larger))

        assert arm(root, smaller) is Arm.TREATMENT or arm(root, larger) is Arm.HOLDOUT

    def test_rules_and_stores_draw_apart(self) -> None:
        both = sum(arm(root, 50) == arm(root, 50, rule=OTHER_RULE) for root in range(10_000))
        shops = sum(arm(root, 50) == arm(root, 50, salt="other") for root in range(10_000))

        assert 4_800 < both < 5_200
        assert 4_800 < shops < 5_200


class TestChooseByWeight:
    def test_follows_the_weights(self) -> None:
        chosen = Counter(
            arms.choose_by_weight(salt="shop", root=root, rule_id=RULE, weights=[3, 0, 1]) for root in range(20_000)
        )

        assert chosen[1] == 0
        assert 14_700 < chosen[0] < 15_300

    def test_is_drawn_apart_from_the_arm(self) -> None:
        treated = [root for root in range(20_000) if arm(root, 50) is Arm.TREATMENT]
        first = sum(arms.choose_by_weight(salt="shop", root=root, rule_id=RULE, weights=[1, 1]) for root in treated)

        assert abs(first - len(treated) / 2) < 300

    def test_refuses_to_choose_from_nothing(self) -> None:
        with pytest.raises(ValueError, match="no variation"):
            arms.choose_by_weight(salt="shop", root=1, rule_id=RULE, weights=[])
