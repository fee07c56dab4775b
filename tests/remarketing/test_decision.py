from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.remarketing import schedule
from signals_app.remarketing.constants import Arm, EntryEvent, Reason, RuleAction, RuleStatus
from signals_app.remarketing.decision import (
    GATE_NAMES,
    SEND_REASONS,
    Moment,
    Outcome,
    RuleSpec,
    SendFacts,
    Situation,
    decide,
)
from signals_app.segments import conditions
from signals_app.segments.fields import Field, FieldType, Scope

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NOON_BEFORE = NOW - timedelta(minutes=5)
FIELDS = {
    "drop_proba": Field("drop_proba", "Exit likelihood", FieldType.NUMBER, Scope.SIGNAL),
    "num_events": Field("num_events", "Events", FieldType.NUMBER, Scope.SIGNAL),
}
TRIGGER = conditions.parse(
    {
        "all": [
            {"field": "drop_proba", "op": "gte", "value": 0.8},
            {"field": "num_events", "op": "gte", "value": 6},
        ]
    },
    FIELDS,
    zone=UTC,
)
RULE = RuleSpec(
    id=UUID(int=1),
    name="Leaving with interest",
    version=1,
    status=RuleStatus.ACTIVE,
    entry_event=EntryEvent.SIGNAL,
    trigger=TRIGGER,
    audience=conditions.All(()),
    wait=timedelta(minutes=45),
    next_day_hour=None,
    max_age=timedelta(hours=24),
    reentry=timedelta(days=14),
    skip_if_ordered=timedelta(days=7),
    holdout_percent=10,
    action=RuleAction.SEND_EMAIL,
    hours=schedule.allowed_hours(send_from=None, send_until=None, quiet_from=21, quiet_until=8),
)
SEND = SendFacts(
    email="ada@example.com",
    has_consent=True,
    consent_detail="granted 2026-11-02 (form)",
    is_suppressed=False,
    is_sending_paused=False,
    mails_in_day=0,
    mails_in_week=0,
    max_per_day=1,
    max_per_week=3,
)
DUE = Situation(
    moment=Moment.DUE,
    values={"drop_proba": 0.97, "num_events": 25},
    zone=ZoneInfo("Europe/Berlin"),
    triggered_at=NOW - timedelta(minutes=45),
    due_at=NOW,
    send=SEND,
)


def due(**changes: Any) -> Situation:
    return replace(DUE, **changes)


def send(**changes: Any) -> Situation:
    return replace(DUE, send=replace(SEND, **changes))


REFUSALS: list[tuple[Reason, Outcome, RuleSpec, Situation, str]] = [
    (Reason.SKIPPED_RULE_INACTIVE, Outcome.SKIP, replace(RULE, status=RuleStatus.PAUSED), DUE, "it is paused"),
    (Reason.SKIPPED_RULE_INACTIVE, Outcome.SKIP, replace(RULE, problem="no mail"), DUE, "no mail"),
    (
        Reason.SKIPPED_TRIGGER,
        Outcome.SKIP,
        RULE,
        due(values={"drop_proba": 0.5, "num_events": 25}),
        "does not hold: Exit likelihood is at least 0.8 (found: 0.5)",
    ),
    (
        Reason.SKIPPED_PROFILE_FILTER,
        Outcome.SKIP,
        replace(RULE, audience=TRIGGER),
        due(profile={"num_events": 9}),
        "does not hold: Exit likelihood is at least 0.8 (found: not known)",
    ),
    (
        Reason.SKIPPED_UNKNOWN_SHOPPER,
        Outcome.SKIP,
        RULE,
        due(is_known=False),
        "the signal carried no ID of the shopper",
    ),
    (
        Reason.SKIPPED_NO_PERSONALISATION,
        Outcome.SKIP,
        RULE,
        due(may_personalise=False, personalisation_detail="denied 2026-11-02 (privacy page)"),
        "denied 2026-11-02 (privacy page)",
    ),
    (
        Reason.SKIPPED_REENTRY,
        Outcome.SKIP,
        RULE,
        due(last_entry_at=NOW - timedelta(days=3)),
        "entered 21 Nov 2026, 13:00, may again from 5 Dec 2026, 13:00",
    ),
    (
        Reason.SKIPPED_ORDERED,
        Outcome.SKIP,
        RULE,
        due(last_ordered_at=NOW - timedelta(hours=1)),
        "ordered 24 Nov 2026, 12:00; skipped within 7 days of an order",
    ),
    (
        Reason.SKIPPED_REFUNDED,
        Outcome.SKIP,
        replace(RULE, entry_event=EntryEvent.ORDER),
        due(is_order_void=True),
        "the order was cancelled or refunded",
    ),
    (
        Reason.SKIPPED_TOO_LATE,
        Outcome.EXPIRE,
        RULE,
        due(triggered_at=NOW - timedelta(hours=25)),
        "would go 24 Nov 2026, 13:00, too late until 24 Nov 2026, 12:00",
    ),
    (Reason.SKIPPED_HOLDOUT, Outcome.SKIP, RULE, due(arm=Arm.HOLDOUT), "in the control group of 10 %"),
    (
        Reason.SKIPPED_MEASURE_ONLY,
        Outcome.SKIP,
        replace(RULE, action=RuleAction.MEASURE_ONLY),
        DUE,
        "this automation only measures",
    ),
    (Reason.SKIPPED_NO_ADDRESS, Outcome.SKIP, RULE, send(email=""), "no e-mail address is known"),
    (
        Reason.SKIPPED_NO_CONSENT,
        Outcome.SKIP,
        RULE,
        send(has_consent=False, consent_detail="never asked"),
        "never asked",
    ),
    (Reason.SKIPPED_SUPPRESSED, Outcome.SKIP, RULE, send(is_suppressed=True), "the address is on the suppression list"),
    (
        Reason.SKIPPED_FREQUENCY_LIMIT,
        Outcome.SKIP,
        RULE,
        send(mails_in_day=1, mails_in_week=1, went_first="Dead click"),
        "1 of 1 in 24 hours, 1 of 3 in 7 days; “Dead click” goes first",
    ),
    (
        Reason.SKIPPED_FREQUENCY_LIMIT,
        Outcome.SKIP,
        RULE,
        send(mails_in_week=3),
        "0 of 1 in 24 hours, 3 of 3 in 7 days",
    ),
    (Reason.SKIPPED_SENDING_PAUSED, Outcome.SKIP, RULE, send(is_sending_paused=True), "all sending is paused"),
]


class TestDecide:
    def test_sends_when_every_gate_is_open(self) -> None:
        decision = decide(RULE, DUE, NOW)

        assert (decision.outcome, decision.reason, decision.detail) == (Outcome.SEND, Reason.MATCHED, "")
        assert all(gate.passed for gate in decision.gates)

    def test_asks_the_gates_in_the_order_of_the_reasons(self) -> None:
        decision = decide(RULE, DUE, NOW)

        in_order = [GATE_NAMES[reason] for reason in Reason if reason is not Reason.MATCHED]
        assert [gate.gate for gate in decision.gates] == in_order

    @pytest.mark.parametrize(("reason", "outcome", "rule", "situation", "detail"), REFUSALS)
    def test_says_why_not(
        self, reason: Reason, outcome: Outcome, rule: RuleSpec, situation: Situation, detail: str
    ) -> None:
        decision = decide(rule, situation, NOW)

        assert (decision.reason, decision.outcome, decision.detail) == (reason, outcome, detail)
        assert [gate.gate for gate in decision.gates if not gate.passed] == [GATE_NAMES[reason]]
        assert len(decision.gates) == len(GATE_NAMES)

    def test_postpones_what_falls_into_the_quiet_hours(self) -> None:
        night = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)  # 23:00 in Berlin

        decision = decide(RULE, due(triggered_at=night - timedelta(hours=1), due_at=night), night)

        assert (decision.outcome, decision.reason) == (Outcome.POSTPONE, Reason.POSTPONED_QUIET_HOURS)
        assert decision.due_at == datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
        assert decision.detail == "it is 23:00 in Europe/Berlin; may go 25 Nov 2026, 08:00"

    def test_gives_up_at_once_what_would_be_too_late_after_the_quiet_hours(self) -> None:
        night = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
        rule = replace(RULE, max_age=timedelta(hours=4))

        decision = decide(rule, due(triggered_at=night - timedelta(hours=1), due_at=night), night)

        assert (decision.outcome, decision.reason) == (Outcome.EXPIRE, Reason.SKIPPED_TOO_LATE)

    def test_never_sends_where_no_hour_is_allowed(self) -> None:
        decision = decide(replace(RULE, hours=frozenset()), DUE, NOW)

        assert decision.reason is Reason.SKIPPED_TOO_LATE
        assert "leave no hour" in decision.detail

    @pytest.mark.parametrize(("reason", "outcome", "rule", "situation", "detail"), REFUSALS)
    def test_plans_at_the_trigger_whatever_only_the_sending_asks(
        self, reason: Reason, outcome: Outcome, rule: RuleSpec, situation: Situation, detail: str
    ) -> None:
        decision = decide(rule, replace(situation, moment=Moment.TRIGGER, due_at=None, send=None), NOW)

        is_refused = reason not in SEND_REASONS
        assert decision.reason is (reason if is_refused else Reason.MATCHED)
        assert decision.outcome is (outcome if is_refused else Outcome.PLAN)

    @pytest.mark.parametrize("days", [0, 7])
    def test_an_order_since_the_last_signal_counts_whatever_the_days(self, days: int) -> None:
        rule = replace(RULE, skip_if_ordered=timedelta(days=days))

        assert decide(rule, due(last_ordered_at=NOON_BEFORE), NOW).reason is Reason.SKIPPED_ORDERED
        assert (
            decide(replace(RULE, skip_if_ordered=None), due(last_ordered_at=NOON_BEFORE), NOW).outcome is Outcome.SEND
        )

    def test_an_automation_that_begins_with_an_order_is_stopped_only_by_a_further_one(self) -> None:
        rule = replace(RULE, entry_event=EntryEvent.ORDER)

        assert decide(rule, due(last_ordered_at=DUE.triggered_at), NOW).outcome is Outcome.SEND
        assert decide(rule, due(last_ordered_at=NOON_BEFORE), NOW).reason is Reason.SKIPPED_ORDERED

    def test_plans_for_after_the_wait(self) -> None:
        decision = decide(RULE, replace(DUE, moment=Moment.TRIGGER, triggered_at=NOW, due_at=None), NOW)

        assert decision.due_at == NOW + timedelta(minutes=45)

    @given(
        moment=st.sampled_from(Moment),
        minutes_ago=st.integers(0, 3_000),
        drop_proba=st.none() | st.floats(0, 1),
        hour=st.integers(0, 72),
        arm=st.sampled_from(Arm),
        mails=st.integers(0, 4),
        has_consent=st.booleans(),
        quiet=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    )
    def test_sends_only_if_every_gate_is_open_and_never_in_the_quiet_hours(
        self,
        moment: Moment,
        minutes_ago: int,
        drop_proba: float | None,
        hour: int,
        arm: Arm,
        mails: int,
        has_consent: bool,
        quiet: tuple[int, int],
    ) -> None:
        now = NOW + timedelta(hours=hour)
        hours = schedule.allowed_hours(send_from=None, send_until=None, quiet_from=quiet[0], quiet_until=quiet[1])
        rule = replace(RULE, hours=hours)
        situation = replace(
            DUE,
            moment=moment,
            values={"drop_proba": drop_proba, "num_events": 25},
            triggered_at=now - timedelta(minutes=minutes_ago),
            due_at=None if moment is Moment.TRIGGER else now - timedelta(minutes=1),
            arm=arm,
            send=replace(SEND, mails_in_day=mails, mails_in_week=mails, has_consent=has_consent),
        )

        decision = decide(rule, situation, now)

        assert (decision.outcome is Outcome.SEND) <= all(gate.passed for gate in decision.gates)
        assert decision.due_at >= now
        if decision.outcome in (Outcome.SEND, Outcome.POSTPONE, Outcome.PLAN):
            assert decision.due_at.astimezone(DUE.zone).hour in hours
            assert decision.due_at <= situation.triggered_at + rule.max_age
        if decision.outcome is Outcome.SEND:
            assert decision.due_at == now
